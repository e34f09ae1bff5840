"""Runs the executor on transformed examples, in this process or as a script in another one."""

import glob
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from absl import logging
from tensorboard.backend.event_processing import event_accumulator
from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils
from tfx import v1 as tfx
from tfx.types import artifact_utils, channel_utils

from components.embedding_trainer.component import EmbeddingTrainer
from components.embedding_trainer.executor import Executor
from components.embedding_trainer.input_pipeline import Examples, read_examples
from components.embedding_trainer.options import TrainingOptions
from components.text.features import LABEL, TEXT
from components.text.preprocessing import preprocessing_fn

standard_artifacts = tfx.types.standard_artifacts

_ONE_STRING = tf.io.FixedLenFeature([], tf.string)


def write_transformed(
    directory: str,
    texts: Sequence[str],
    labels: Sequence[int],
    text_spec: Any = _ONE_STRING,
    **custom_config: Any,
) -> str:
    """Writes the outputs of TFX's Transform, as `directory`/graph and `directory`/examples.

    Args:
        directory: Where to write.
        texts: The reviews.
        labels: The class of each review.
        text_spec: The feature specification of the raw text.
        **custom_config: The custom_config of Transform.

    Returns:
        The directory.
    """
    text_feature = custom_config.get("text_feature", TEXT)
    raw_spec = {
        text_feature: text_spec,
        LABEL: tf.io.FixedLenFeature([], tf.int64),
    }
    metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(raw_spec))
    rows = [
        {text_feature: review if text_spec is _ONE_STRING else [review], LABEL: label}
        for review, label in zip(texts, labels, strict=True)
    ]
    graph = os.path.join(directory, "graph")
    with tft_beam.Context(temp_dir=os.path.join(directory, "tmp")):
        analyze_and_transform = tft_beam.AnalyzeAndTransformDataset(
            lambda inputs: preprocessing_fn(inputs, custom_config)
        )
        (transformed, _), transform_fn = (rows, metadata) | analyze_and_transform
        transform_fn | tft_beam.WriteTransformFn(graph)
    raw_metadata = os.path.join(graph, tft.TFTransformOutput.RAW_METADATA_DIR)
    metadata_io.write_metadata(metadata, raw_metadata)
    write_examples(directory, transformed)
    return directory


def write_examples(directory: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes transformed examples as `directory`/examples, in two files."""
    split = os.path.join(directory, "examples", "Split-train")
    os.makedirs(split)
    for part in (0, 1):
        with tf.io.TFRecordWriter(os.path.join(split, f"examples-{part}.gz"), "GZIP") as writer:
            for row in rows[part::2]:
                example = tf.train.Example()
                for name, values in row.items():
                    example.features.feature[name].int64_list.value.extend(np.atleast_1d(values))
                writer.write(example.SerializeToString())


def artifact(artifact_type: Any, uri: str) -> Any:
    """Returns an artifact of a standard type."""
    result = artifact_type()
    result.uri = uri
    return result


def execute(
    data: str,
    output: str,
    *,
    class_names: Sequence[str] | None = None,
    splits: Sequence[str] = ("train",),
    train_splits: Sequence[str] = ("train",),
    text_feature: str = TEXT,
    **options: Any,
) -> Any:
    """Runs the executor with the component's execution properties.

    Args:
        data: The directory that `write_transformed` wrote.
        output: Where to write the artifacts, as `output`/model and `output`/model_run.
        class_names: The class names on TfdsExampleGen's examples; None to give the executor no
            raw examples.
        splits: The splits of the examples.
        train_splits: The splits to train on.
        text_feature: The raw feature with the text.
        **options: Fields of TrainingOptions.

    Returns:
        The Model artifact.
    """
    examples = artifact(standard_artifacts.Examples, os.path.join(data, "examples"))
    examples.split_names = artifact_utils.encode_split_names(list(splits))
    inputs = {
        "examples": [examples],
        "transform_graph": [
            artifact(standard_artifacts.TransformGraph, os.path.join(data, "graph"))
        ],
    }
    if class_names is not None:
        raw_examples = artifact(standard_artifacts.Examples, os.path.join(data, "raw"))
        raw_examples.set_string_custom_property("class_names", json.dumps(class_names))
        inputs["raw_examples"] = [raw_examples]
    component = EmbeddingTrainer(
        **{key: channel_utils.as_channel(artifacts) for key, artifacts in inputs.items()},
        options=TrainingOptions(**options),
        train_splits=train_splits,
        text_feature=text_feature,
    )
    model = artifact(standard_artifacts.Model, os.path.join(output, "model"))
    model_run = artifact(standard_artifacts.ModelRun, os.path.join(output, "model_run"))
    outputs = {"model": [model], "model_run": [model_run]}
    Executor().Do(inputs, outputs, component.exec_properties)
    return model


def serving_directory(model: Any) -> str:
    """Returns the directory of a Model artifact's SavedModel."""
    return os.path.join(model.uri, "Format-Serving")


def serve(directory: str, texts: Sequence[str]) -> np.ndarray:
    """Returns the probabilities that a SavedModel's signature `serve_text` gives for texts."""
    signature = tf.saved_model.load(directory).signatures["serve_text"]
    return signature(text=tf.constant(texts))["probabilities"].numpy()


def vocabulary(data: str) -> list[str]:
    """Returns the vocabulary in the directory that `write_transformed` wrote."""
    path = os.path.join(data, "graph", "transform_fn", "assets", "vocabulary")
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def read(data: str, validation_fraction: float = 0.1, max_sequence_length: int = 100) -> Examples:
    """Returns the examples in the directory that `write_transformed` wrote."""
    return read_examples(
        glob.glob(os.path.join(data, "examples", "Split-train", "*")),
        transform_output(data).transformed_feature_spec(),
        max_sequence_length=max_sequence_length,
        validation_fraction=validation_fraction,
    )


def transform_output(data: str) -> tft.TFTransformOutput:
    """Returns the transform graph in the directory that `write_transformed` wrote."""
    return tft.TFTransformOutput(os.path.join(data, "graph"))


def weights(model: Any) -> dict[str, np.ndarray]:
    """Returns the variables of a Model artifact by their names in the checkpoint."""
    directory = os.path.join(serving_directory(model), "variables", "variables")
    checkpoint = tf.train.load_checkpoint(directory)
    suffix = "/.ATTRIBUTES/VARIABLE_VALUE"
    return {
        key.removesuffix(suffix): checkpoint.get_tensor(key)
        for key in checkpoint.get_variable_to_shape_map()
        if key.endswith(suffix)
    }


def logged(directory: str | os.PathLike[str], tag: str) -> dict[int, float]:
    """Returns the numbers that TensorBoard's logs in a directory have for a tag, by epoch."""
    keep_all = {event_accumulator.TENSORS: 0}
    events = event_accumulator.EventAccumulator(str(directory), keep_all).Reload().Tensors(tag)
    return {event.step: tf.make_ndarray(event.tensor_proto).item() for event in events}


def _main(arguments: str) -> None:
    """Runs `execute` with arguments in JSON; `cpus` splits the CPU into that many devices."""
    options = json.loads(arguments)
    logging.use_absl_handler()
    logging.set_verbosity(logging.INFO)
    cpu = tf.config.list_physical_devices("CPU")[0]
    device = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [device] * options.pop("cpus", 1))
    model = execute(**options)
    properties = {"strategy", "devices", "replicas", "global_batch_size", "learning_rate"}
    properties |= {"epochs_run"}
    if os.path.exists(model.uri):
        print(json.dumps({name: model.get_custom_property(name) for name in sorted(properties)}))


if __name__ == "__main__":
    _main(sys.argv[1])
