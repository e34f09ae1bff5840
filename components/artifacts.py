"""The artifact type of the components, and what they record on artifacts."""

import json
import os
from collections.abc import Sequence

from ml_metadata.proto import metadata_store_pb2
from tfx import v1 as tfx
from tfx.types.artifact import Property, PropertyType


class EmbeddingProjection(tfx.dsl.Artifact):
    """An embedding for TensorBoard's Embedding Projector: `tensorboard --logdir {uri}`.

    * Properties:
       - `run_name`: Its name in TensorBoard, such as 'imdb-20261122-134002'; the time is in UTC.
       - `rows`: Number of words that TensorBoard gets.
       - `dimensions`: Columns of the embedding matrix in the model.
       - `source_variable`: Key of the matrix in the model's checkpoint.
       - `vocabulary`: Name of the vocabulary.
       - `dataset_fingerprint`: Fingerprint of the model's training data; empty if unknown.

    * Custom properties:
       - `dataset`: Name and version of the model's training data; empty if unknown.
       - `rows_left_out`: Number of words that TensorBoard does not get.
       - Those of `quality.json`, see below.
       - `published`: Directory of the published copy; missing without one.

    * File structure:
       - `{uri}/{run_name}/`
          - `checkpoint`: The name of the one checkpoint.
          - `embedding.ckpt-1.index`, `embedding.ckpt-1.data-*`: The vectors, float32, under the
            key `embedding/.ATTRIBUTES/VARIABLE_VALUE`; the same scaled to length 1 under
            `normalized/.ATTRIBUTES/VARIABLE_VALUE`.
          - `metadata.tsv`: A header line, then a line for each word: token (escaped), id and more.
          - `bookmarks.json`: Precomputed layouts; missing without any.
          - `projector_config.pbtxt`: The configuration that names these files.
          - `neighbors.tsv`: The nearest neighbors of the probe words; missing without any.
          - `quality.json`: An object of numbers; unknown ones are missing:
             - `first_component_share`: Share of the variance in the first principal component.
             - `bootstrap_overlap`: Mean share of a word's 10 nearest neighbors in the initial
               embedding that stay when the training examples are resampled with replacement.
             - `neighbor_overlap`: Mean share of a word's 10 nearest neighbors that it also has in
               the baseline model.
             - `neighbor_overlap_tokens`: Number of words compared for `neighbor_overlap`.
             - `tsne_trustworthiness`: How near the 10 nearest words in the t-SNE are in the
               embedding; 1 if all are among the 10 nearest there.
             - `similarity_pairs`, `similarity_pairs_found`: Number of word pairs in
               `ExportOptions.similarity_pairs`, and of those with both words in the vocabulary.
             - `similarity_rho`, `similarity_rho_low`, `similarity_rho_high`: Spearman's rank
               correlation of their cosines with people's judgments, and its 95 % interval.
          - `map.html`: A map of up to 10,000 words in one file, to open in a browser.
          - `projection.png`: The last layout as a picture; missing without layouts.
          - `embedding.arrow`, `embedding.parquet`: All words with their vectors, if the options
            ask for them.
          - `events.out.tfevents.*`: Empty; makes TensorBoard list the directory as a run.
    """

    TYPE_NAME = "EmbeddingProjection"
    PROPERTIES = {  # noqa: RUF012 (TFX wants a plain class attribute.)
        "run_name": Property(type=PropertyType.STRING),
        "rows": Property(type=PropertyType.INT),
        "dimensions": Property(type=PropertyType.INT),
        "source_variable": Property(type=PropertyType.STRING),
        "vocabulary": Property(type=PropertyType.STRING),
        "dataset_fingerprint": Property(type=PropertyType.STRING),
    }


def projection_directory(projection: metadata_store_pb2.Artifact) -> str:
    """Returns the directory of a projection's files.

    Args:
        projection: An EmbeddingProjection artifact of ML Metadata; of a TFX artifact its
            `mlmd_artifact`.

    Returns:
        The directory that TensorBoard shows as a run.
    """
    return os.path.join(projection.uri, projection.properties["run_name"].string_value)


def class_names(artifacts: Sequence[tfx.dsl.Artifact]) -> list[str]:
    """Returns the class names that TfdsExampleGen and EmbeddingTrainer record on their outputs.

    Args:
        artifacts: Examples or Model artifacts, or none.

    Returns:
        The longest list of names among the artifacts; empty if none has any.
    """
    noted = [artifact.get_string_custom_property("class_names") for artifact in artifacts]
    return max((json.loads(names) for names in noted if names), key=len, default=[])
