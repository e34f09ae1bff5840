"""The command of each step on Kubeflow Pipelines: runs a TFX executor or driver in a container.

KFP's driver passes the step an ExecutorInput (``{{$}}`` in the compiled arguments). Its launcher
downloads the inputs before the command and uploads the outputs after it. TFX's own entrypoint,
``kubeflow_v2_run_executor``, was written for Vertex AI. This module calls it and

* restores the types of the inputs, which KFP's driver leaves out (``toRuntimeArtifact`` in
  backend/src/v2/metadata/converter.go of kubeflow/pipelines);
* drops outputs that are not TFX artifacts, such as the ``executor-logs`` that the driver adds
  (``provisionOutputs`` in backend/src/v2/driver/driver.go);
* maps the URIs of object stores to the launcher's local directories, and back in the output
  (``LocalPathForURI`` in backend/src/v2/component/launcher_v2.go), so that TensorFlow needs neither
  file systems nor credentials for them;
* drops null metadata, on which the launcher fails (``StructValueToMLMDValue`` in
  backend/src/v2/metadata/converter.go).
"""

import argparse
import logging
import pathlib
import sys
from collections.abc import Iterator, Sequence

from pipeline_def import startup  # noqa: F401  Before TensorFlow is imported.

# isort: split
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as ir
from tfx.orchestration.kubeflow.v2.container import (
    kubeflow_v2_entrypoint_utils as tfx_utils,
)
from tfx.orchestration.kubeflow.v2.container import (
    kubeflow_v2_run_executor as tfx_executor,
)
from tfx.utils import import_utils

from pipeline_def.kubeflow import visualization

_LOCAL_DIRECTORIES = {"gs://": "/gcs/", "s3://": "/s3/", "minio://": "/minio/"}


def main(argv: Sequence[str]) -> None:
    """Runs one step.

    Args:
        argv: The arguments that the compiler wrote, and Beam's.
    """
    parser = argparse.ArgumentParser(prog="pipeline_def.kubeflow.entrypoint", allow_abbrev=False)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--executor_class_path")
    what.add_argument("--driver_class_path")
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args", required=True)
    arguments, beam_arguments = parser.parse_known_args(argv)
    executor_input = json_format.Parse(
        arguments.json_serialized_invocation_args, ir.ExecutorInput(), ignore_unknown_fields=True
    )
    inputs_spec = json_format.Parse(
        arguments.json_serialized_inputs_spec_args, ir.ComponentInputsSpec()
    )
    path = pathlib.Path(executor_input.outputs.output_file)
    path.parent.mkdir(parents=True, exist_ok=True)
    if arguments.driver_class_path:
        output = _run_driver(arguments.driver_class_path, executor_input, inputs_spec)
    else:
        output = _run_executor(arguments, beam_arguments, executor_input, inputs_spec)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(json_format.MessageToJson(output), encoding="utf-8")
    partial.rename(path)


def _run_driver(
    class_path: str, executor_input: ir.ExecutorInput, inputs_spec: ir.ComponentInputsSpec
) -> ir.ExecutorOutput:
    """Returns, as output parameters, the execution properties that a TFX driver resolves."""
    parameters = executor_input.inputs.parameter_values
    properties = tfx_utils.parse_execution_properties(parameters, {}, inputs_spec)
    driver = import_utils.import_class_by_path(class_path)(None)
    resolved = driver.resolve_exec_properties(properties, None, None)
    output = ir.ExecutorOutput()
    for name in executor_input.outputs.parameters:
        output.parameter_values[name].string_value = resolved[name]
    return output


def _run_executor(
    arguments: argparse.Namespace,
    beam_arguments: list[str],
    executor_input: ir.ExecutorInput,
    inputs_spec: ir.ComponentInputsSpec,
) -> ir.ExecutorOutput:
    """Runs a TFX executor and returns its output artifacts as KFP's launcher takes them."""
    step = for_tfx(executor_input, inputs_spec)
    arguments.json_serialized_invocation_args = json_format.MessageToJson(step)
    tfx_executor.main((arguments, beam_arguments))
    written = pathlib.Path(step.outputs.output_file)
    output = json_format.Parse(written.read_text(encoding="utf-8"), ir.ExecutorOutput())
    written.unlink()
    if visualization.OUTPUT in executor_input.outputs.artifacts:
        _visualize(executor_input, output)
    return for_launcher(output, executor_input)


def for_tfx(
    executor_input: ir.ExecutorInput, inputs_spec: ir.ComponentInputsSpec
) -> ir.ExecutorInput:
    """Translates KFP's input of a step for TFX, and makes the parent directories of the outputs.

    Args:
        executor_input: What the driver passes.
        inputs_spec: The types of the step's inputs.

    Returns:
        A copy in which inputs have their types, outputs are TFX's own, and URIs are local paths.
        The output file is another one, because the launcher must not see an unfinished file.
    """
    step = ir.ExecutorInput()
    step.CopyFrom(executor_input)
    for name, artifacts in step.inputs.artifacts.items():
        for artifact in artifacts.artifacts:
            artifact.type.CopyFrom(inputs_spec.artifacts[name].artifact_type)
    for name, artifacts in list(step.outputs.artifacts.items()):
        if artifacts.artifacts[0].type.schema_title.startswith("system."):
            del step.outputs.artifacts[name]
    for artifact in [*_artifacts(step.inputs), *_artifacts(step.outputs)]:
        artifact.uri = local_path(artifact.uri)
    for artifact in _artifacts(step.outputs):
        pathlib.Path(artifact.uri).parent.mkdir(parents=True, exist_ok=True)
    path = pathlib.Path(step.outputs.output_file)
    step.outputs.output_file = str(path.with_name(f".tfx-{path.name}"))
    return step


def for_launcher(output: ir.ExecutorOutput, executor_input: ir.ExecutorInput) -> ir.ExecutorOutput:
    """Translates TFX's output for KFP's launcher, in place, and returns it.

    Restores the original URIs, in metadata too, and removes null metadata.

    Args:
        output: What TFX wrote.
        executor_input: What KFP's driver passed to the step.
    """
    known = [*_artifacts(executor_input.inputs), *_artifacts(executor_input.outputs)]
    uris = {local_path(artifact.uri): artifact.uri for artifact in known}
    for artifact in _artifacts(output):
        artifact.uri = uris[local_path(artifact.uri)]
        fields = artifact.metadata.fields
        for key, value in list(fields.items()):
            if value.HasField("null_value"):
                del fields[key]
            elif value.string_value in uris:  # For example the models that a blessing names.
                value.string_value = uris[value.string_value]
    return output


def local_path(uri: str) -> str:
    """Returns the container's path where KFP's launcher keeps the content of a URI."""
    for scheme, directory in _LOCAL_DIRECTORIES.items():
        if uri.startswith(scheme):
            return directory + uri.removeprefix(scheme)
    return uri


def _artifacts(
    channels: ir.ExecutorInput.Inputs | ir.ExecutorInput.Outputs | ir.ExecutorOutput,
) -> Iterator[ir.RuntimeArtifact]:
    for artifacts in channels.artifacts.values():
        yield from artifacts.artifacts


def _visualize(executor_input: ir.ExecutorInput, output: ir.ExecutorOutput) -> None:
    """Writes the page of a projection, and adds it to the output of its step."""
    (page,) = executor_input.outputs.artifacts[visualization.OUTPUT].artifacts
    (projection,) = executor_input.outputs.artifacts["projection"].artifacts
    (exported,) = output.artifacts["projection"].artifacts
    properties = json_format.MessageToDict(exported.metadata)
    html = visualization.page(local_path(projection.uri), properties, projection.uri)
    for artifact in _artifacts(executor_input.inputs):  # The map shows the URI of its model.
        html = html.replace(local_path(artifact.uri), artifact.uri)
    pathlib.Path(local_path(page.uri)).write_text(html, encoding="utf-8")
    output.artifacts[visualization.OUTPUT].artifacts.add(name=page.name, uri=page.uri)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    main(sys.argv[1:])
