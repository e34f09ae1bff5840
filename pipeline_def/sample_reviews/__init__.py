"""The embedded sample; importing this package registers the TFDS dataset `sample_reviews`."""

from pipeline_def.sample_reviews.sample_reviews_dataset_builder import SampleReviews

__all__ = ["SampleReviews"]
