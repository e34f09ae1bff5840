"""The artifact types of the components."""

import json
import os
from collections.abc import Sequence

from ml_metadata.proto import metadata_store_pb2
from tfx import v1 as tfx
from tfx.types.artifact import Property, PropertyType


class EmbeddingProjection(tfx.dsl.Artifact):
    """An embedding as TensorBoard's Embedding Projector shows it; `tensorboard --logdir {uri}`.

    * Properties:
       - `run_name`: What TensorBoard calls it, such as 'imdb-20261122-134002'; the time is in UTC.
       - `rows`: Number of exported words.
       - `dimensions`: Columns of the embedding matrix in the model.
       - `source_variable`: Key of the matrix in the model's checkpoint.
       - `vocabulary`: Name of the vocabulary in the transform graph.
       - `dataset_fingerprint`: That of the examples behind the model; empty if not known.

    * Custom properties:
       - `dataset`: Pinned name of the dataset behind the model; empty if not known.
       - `rows_left_out`: Number of words of the vocabulary that are not exported.
       - `neighbor_overlap`: Mean share of its 10 nearest neighbors that a word keeps against the
         last blessed model, 0 to 1; missing without one.
       - `neighbor_overlap_tokens`: Number of words it was measured on.
       - `published`: Directory of the published copy; missing without one.

    * File structure:
       - `{uri}/{run_name}/`
          - `checkpoint`: Names the one checkpoint.
          - `embedding.ckpt-1.index`, `embedding.ckpt-1.data-*`: The exported rows,
            float32, under the key `embedding/.ATTRIBUTES/VARIABLE_VALUE`; the same scaled to
            length 1 under `normalized/.ATTRIBUTES/VARIABLE_VALUE`.
          - `metadata.tsv`: A header line, then a line a row: token (escaped), id and more.
          - `bookmarks.json`: Precomputed layouts.
          - `projector_config.pbtxt`: Ties these together.
          - `neighbors.tsv`: The nearest neighbors of the probe words.
          - `projection.png`: A picture of the last layout.
          - `embedding.arrow`, `embedding.parquet`: All words with their vectors, if asked for.
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
    """Says where the files of a projection are.

    Args:
        projection: An EmbeddingProjection artifact as ML Metadata keeps it; of a TFX artifact, its
            `mlmd_artifact`.

    Returns:
        The directory that TensorBoard shows as a run.
    """
    return os.path.join(projection.uri, projection.properties["run_name"].string_value)


def class_names(examples: Sequence[tfx.dsl.Artifact]) -> list[str]:
    """Reads the names of the classes that TfdsExampleGen notes on its examples.

    Args:
        examples: Examples artifacts, perhaps none.

    Returns:
        The names, of the artifact that has most; none if they are not known.
    """
    noted = [artifact.get_string_custom_property("class_names") for artifact in examples]
    return max((json.loads(names) for names in noted if names), key=len, default=[])
