"""Runs tf.Transform on a few texts, and serves its graph."""

import functools
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam

from components.text.features import LABEL, TEXT, TOKEN_IDS
from components.text.preprocessing import preprocessing_fn

DENSE = {
    TEXT: tf.io.FixedLenFeature([], tf.string),
    LABEL: tf.io.FixedLenFeature([], tf.int64),
}


class Transformed(NamedTuple):
    """The outputs of Transform for a few texts."""

    ids: list[list[int]]
    labels: list[int]
    output: tft.TFTransformOutput

    def serve(self, texts: Sequence[str]) -> list[list[int]]:
        """Returns the token ids that the serving layer gives raw texts without labels."""
        features = self.output.transform_features_layer()({TEXT: tf.constant(texts)})
        return tf.RaggedTensor.from_sparse(features[TOKEN_IDS]).to_list()


Transform = Callable[..., Transformed]


@pytest.fixture
def transform(tmp_path: pathlib.Path) -> Transform:
    """Returns a function that transforms texts with a `custom_config`."""

    def run(texts: Any, spec: Any = None, labels: Any = None, **custom_config: Any) -> Transformed:
        rows = [
            {TEXT: value, LABEL: label}
            for value, label in zip(texts, labels or [1] * len(texts), strict=True)
        ]
        metadata = tft.DatasetMetadata.from_feature_spec(spec or DENSE)
        with tft_beam.Context(temp_dir=str(tmp_path / "temp")):
            (transformed, _), transform_fn = (rows, metadata) | tft_beam.AnalyzeAndTransformDataset(
                functools.partial(preprocessing_fn, custom_config=custom_config)
            )
            transform_fn | tft_beam.WriteTransformFn(str(tmp_path / "output"))
        return Transformed(
            [row[TOKEN_IDS].tolist() for row in transformed],
            [row[LABEL] for row in transformed],
            tft.TFTransformOutput(str(tmp_path / "output")),
        )

    return run
