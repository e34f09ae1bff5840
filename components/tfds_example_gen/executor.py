"""Executor of TfdsExampleGen: the dataset's examples, read and written by Beam."""

import json
from collections.abc import Mapping
from typing import Any

import apache_beam as beam
from tfx import types
from tfx import v1 as tfx
from tfx.components.example_gen import base_example_gen_executor, utils
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.tfds_example_gen import dataset, records


def resolve(
    exec_properties: Mapping[str, Any], splits: Mapping[str, str] | None = None
) -> dataset.TextDataset:
    """Resolves the dataset that execution properties describe.

    Args:
        exec_properties: The execution properties of TfdsExampleGen.
        splits: Split expressions by name; None takes those of the execution properties.

    Returns:
        The prepared dataset.

    Raises:
        ValueError: It cannot be read as asked; see ``dataset.resolve``.
        FileNotFoundError: It is not prepared and cannot be.
    """
    if splits is None:
        config = tfx.proto.Input()
        proto_utils.json_to_proto(
            exec_properties[standard_component_specs.INPUT_CONFIG_KEY], config
        )
        splits = {split.name: split.pattern for split in config.splits}
    return dataset.resolve(
        exec_properties["dataset"],
        splits,
        text_feature=exec_properties.get("text_feature"),
        label_feature=exec_properties.get("label_feature"),
        data_dir=exec_properties.get("data_dir"),
        builder_module=exec_properties.get("builder_module"),
    )


@beam.ptransform_fn
@beam.typehints.with_input_types(beam.Pipeline)
@beam.typehints.with_output_types(bytes)
def ReadExamples(  # noqa: N802 (a Beam transform)
    pipeline: beam.Pipeline, exec_properties: dict[str, Any], split_pattern: str
) -> beam.PCollection:
    """Reads one split in parallel.

    Args:
        pipeline: The pipeline.
        exec_properties: The execution properties of TfdsExampleGen.
        split_pattern: A TFDS split expression.

    Returns:
        Serialized tf.Examples with 'text' and 'label', in no particular order.
    """
    resolved = resolve(exec_properties, {split_pattern: split_pattern})
    return (
        pipeline
        | "Ranges" >> beam.Create(records.divide(resolved.ranges[split_pattern]))
        | "Spread" >> beam.Reshuffle()
        | "Read" >> beam.FlatMap(resolved.readers[split_pattern].read)
    )


class Executor(base_example_gen_executor.BaseExampleGenExecutor):
    """Writes the examples of a TFDS dataset and says on the artifact what they are."""

    def GetInputSourceToExamplePTransform(self) -> beam.PTransform:  # noqa: N802 (TFX's name)
        """Returns the transform that the base class applies to each split."""
        return ReadExamples  # type: ignore[return-value]  # What makes one, as TFX has it.

    def Do(  # noqa: N802 (TFX's name)
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes one directory of examples a split.

        Args:
            input_dict: Empty.
            output_dict: 'examples': one Examples artifact.
            exec_properties: The execution properties of TfdsExampleGen.

        Raises:
            ValueError: The dataset cannot be read as asked.
            FileNotFoundError: The dataset is not prepared and cannot be.
        """
        resolved = resolve(exec_properties)
        # The driver has computed it, except on orchestrators that do not run custom drivers.
        fingerprint = exec_properties.get(utils.FINGERPRINT_PROPERTY_NAME) or resolved.fingerprint()
        super().Do(input_dict, output_dict, exec_properties)
        examples = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.EXAMPLES_KEY]
        )
        for key, value in {
            "dataset": resolved.name,
            "dataset_version": resolved.version,
            "class_names": json.dumps(resolved.class_names),
            "examples_per_split": json.dumps(resolved.examples_per_split),
            "dataset_fingerprint": fingerprint,
        }.items():
            examples.set_string_custom_property(key, value)
