"""Rewrites what TFX compiles for Vertex AI into what KFP's server and launcher accept.

The README of this package gives the reason for each change.
"""

import re
from collections.abc import Callable
from typing import Any

from kfp.pipeline_spec import pipeline_spec_pb2 as ir
from tfx import v1 as tfx
from tfx.components.example_gen import utils as example_gen_utils
from tfx.dsl.components.base import base_driver
from tfx.utils import name_utils

from components import EmbeddingProjection, TfdsExampleGen
from components.tfds_example_gen.driver import Driver
from pipeline_def.kubeflow import visualization

# The step that runs TfdsExampleGen's driver. The name TfdsExampleGen-driver is taken: the server
# adds a task NAME-driver for each task NAME.
_DATASET_STEP = "Dataset"
_RESOLVED_BY_DRIVER = ("dataset", example_gen_utils.FINGERPRINT_PROPERTY_NAME)

_IMPORTED = "artifact"


def rewrite(
    spec: ir.PipelineSpec, deployment: ir.PipelineDeploymentConfig, pipeline: tfx.dsl.Pipeline
) -> None:
    """Rewrites, in place, what TFX's runner compiled into what KFP accepts.

    Args:
        spec: Schema version 2.1.0; its `deployment_spec` is ignored.
        deployment: The content of `spec.deployment_spec`.
        pipeline: The pipeline that was compiled.
    """
    for node in pipeline.components:
        if isinstance(node, TfdsExampleGen):
            _add_dataset_step(spec, deployment, node.id)
        elif isinstance(node, tfx.dsl.Importer):
            _rename_import(spec, node.id)
        elif node.driver_class is not base_driver.BaseDriver:
            # KFP runs no drivers, and its cache does not see what a driver checks.
            spec.root.dag.tasks[node.id].ClearField("caching_options")
        if any(channel.type is EmbeddingProjection for channel in node.outputs.values()):
            _add_visualization(spec, node.id)
    _rename(spec, deployment)


def _add_dataset_step(
    spec: ir.PipelineSpec, deployment: ir.PipelineDeploymentConfig, name: str
) -> None:
    """Adds a step that runs TfdsExampleGen's driver before it, because KFP runs no drivers.

    The new step is never cached. It passes the dataset and its fingerprint to TfdsExampleGen as
    parameters, so that KFP's cache serves that step only for unchanged data.
    """
    component, task = spec.components[name], spec.root.dag.tasks[name]
    dataset, dataset_task = spec.components[_DATASET_STEP], spec.root.dag.tasks[_DATASET_STEP]

    dataset.executor_label = f"{_DATASET_STEP}_executor"
    executor = deployment.executors[dataset.executor_label]
    executor.CopyFrom(deployment.executors[component.executor_label])
    executor.container.args[:2] = ["--driver_class_path", name_utils.get_full_name(Driver)]
    dataset.input_definitions.CopyFrom(component.input_definitions)
    dataset_task.task_info.name = _DATASET_STEP
    dataset_task.component_ref.name = _DATASET_STEP
    dataset_task.inputs.CopyFrom(task.inputs)

    for key in _RESOLVED_BY_DRIVER:
        text = ir.ParameterType.STRING
        dataset.output_definitions.parameters[key].parameter_type = text
        component.input_definitions.parameters[key].parameter_type = text
        source = task.inputs.parameters[key].task_output_parameter
        source.producer_task, source.output_parameter_key = _DATASET_STEP, key
    task.dependent_tasks.append(_DATASET_STEP)


def _rename_import(spec: ir.PipelineSpec, name: str) -> None:
    """Gives the output of an importer the name that kfp.local expects."""
    _rename_keys(spec.components[name].output_definitions.artifacts, lambda _: _IMPORTED)
    for task in spec.root.dag.tasks.values():
        for source in task.inputs.artifacts.values():
            if source.task_output_artifact.producer_task == name:
                source.task_output_artifact.output_artifact_key = _IMPORTED


def _add_visualization(spec: ir.PipelineSpec, name: str) -> None:
    """Gives the step that exports a projection an output that KFP's pages show."""
    outputs = spec.components[name].output_definitions.artifacts
    html = outputs[visualization.OUTPUT].artifact_type
    html.schema_title, html.schema_version = "system.HTML", "0.0.1"


def _rename(spec: ir.PipelineSpec, deployment: ir.PipelineDeploymentConfig) -> None:
    """Gives tasks names that Argo accepts, and components and executors those of kfp.local."""
    tasks = spec.root.dag.tasks
    for task in tasks.values():
        task.component_ref.name = _component_name(task.component_ref.name)
        task.dependent_tasks[:] = [_argo_name(name) for name in task.dependent_tasks]
        for artifact in task.inputs.artifacts.values():
            output = artifact.task_output_artifact
            output.producer_task = _argo_name(output.producer_task)
        for parameter in task.inputs.parameters.values():
            if parameter.HasField("task_output_parameter"):
                output = parameter.task_output_parameter
                # TFX calls the producer of a parameter NAME_task, and there is no such task.
                output.producer_task = _argo_name(output.producer_task.removesuffix("_task"))
    for component in spec.components.values():
        component.executor_label = _executor_label(component.executor_label)
    _rename_keys(tasks, _argo_name)
    for name, task in tasks.items():
        task.task_info.name = name
    _rename_keys(spec.components, _component_name)
    _rename_keys(deployment.executors, _executor_label)


def _argo_name(name: str) -> str:
    return re.sub("[^-a-zA-Z0-9]", "-", name).strip("-")


def _component_name(name: str) -> str:
    return f"comp-{_argo_name(name)}"


def _executor_label(label: str) -> str:
    return f"exec-{_argo_name(label.removesuffix('_executor'))}"


def _rename_keys(messages: Any, rename: Callable[[str], str]) -> None:
    """Renames the keys of a map of protos."""
    for key in [key for key in messages if rename(key) != key]:
        messages[rename(key)].CopyFrom(messages[key])
        del messages[key]
