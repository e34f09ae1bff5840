"""Checks a compiled pipeline as KFP's server does, and more strictly.

[server] marks a rule that the server of 2.17.0 enforces, as its code was observed to (2026-11-26).
[ours] marks one that it does not enforce: breaking it shows when a step runs, in kfp.local, or
never.
"""

import graphlib
import re
from collections.abc import Iterator
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as ir

# The names that Argo Workflows allows for the tasks of a DAG.
_ARGO_NAME = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_LONGEST_NAME = 128
# The fields of KubernetesExecutorConfig (kubernetes_executor_config.proto).
KUBERNETES_FIELDS = {
    "secretAsVolume",
    "secretAsEnv",
    "pvcMount",
    "nodeSelector",
    "podMetadata",
    "imagePullSecret",
    "imagePullPolicy",
    "configMapAsVolume",
    "configMapAsEnv",
    "activeDeadlineSeconds",
    "fieldPathAsEnv",
    "tolerations",
    "genericEphemeralVolume",
    "nodeAffinity",
    "podAffinity",
    "securityContext",
    "enabledSharedMemory",
    "emptyDirMounts",
}


def faults(text: str) -> list[str]:
    """Returns the faults of a compiled pipeline; the server accepts one without any."""
    document, *platform = yaml.safe_load_all(text)
    spec = json_format.ParseDict(document, ir.PipelineSpec())
    deployment = json_format.ParseDict(document["deploymentSpec"], ir.PipelineDeploymentConfig())
    return [
        *_header(spec),
        *_names(spec),
        *_executors(spec, deployment),
        *_producers(spec),
        *_parameters(spec),
        *_platform(deployment, platform),
        *cycle(spec),
    ]


def _header(spec: ir.PipelineSpec) -> Iterator[str]:
    """Checks the header.

    [server] NewV2SpecTemplate in backend/src/apiserver/template/v2_template.go.
    """
    if spec.schema_version != "2.1.0":
        yield f"schema version {spec.schema_version}"
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", spec.pipeline_info.name):
        yield f"pipeline name {spec.pipeline_info.name!r}"
    if not spec.root.dag.tasks:
        yield "no tasks"


def _names(spec: ir.PipelineSpec) -> Iterator[str]:
    """Checks the names of the tasks.

    [server] It adds a task NAME-driver for each, in backend/src/v2/compiler/argocompiler/dag.go.
    """
    tasks = spec.root.dag.tasks
    for name in tasks:
        if not _ARGO_NAME.fullmatch(name):
            yield f"task name {name!r}"
        if name.endswith("-"):  # [ours]
            yield f"task name {name!r} ends in '-'"
        if len(f"{name}-driver") > _LONGEST_NAME:
            yield f"task name {name!r} is too long"
        if f"{name}-driver" in tasks:
            yield f"the task {name}-driver is the server's"


def _executors(spec: ir.PipelineSpec, deployment: ir.PipelineDeploymentConfig) -> Iterator[str]:
    """Checks components and executors.

    [server] Func dfs in backend/src/v2/compiler/visitor.go. [ours] The rest, for kfp.local.
    """
    for name, task in spec.root.dag.tasks.items():
        reference = task.component_ref.name
        if reference not in spec.components:
            yield f"{name}: no component {reference!r}"
            continue
        component = spec.components[reference]
        if not reference.startswith("comp-"):
            yield f"component name {reference!r}"
        if component.executor_label not in deployment.executors:
            yield f"{name}: no executor {component.executor_label!r}"
            continue
        executor = deployment.executors[component.executor_label]
        kind = executor.WhichOneof("spec")
        if kind not in ("container", "importer"):
            yield f"{name}: {kind} is not implemented"
        if kind == "container" and not (executor.container.image and executor.container.command):
            yield f"{name}: no image or no command"  # [ours]
        if kind == "container" and executor.container.HasField("lifecycle"):
            yield f"{name}: its lifecycle is ignored"
        if kind == "importer" and list(component.output_definitions.artifacts) != ["artifact"]:
            yield f"{name}: imports to {list(component.output_definitions.artifacts)}"


def _producers(spec: ir.PipelineSpec) -> Iterator[str]:
    """Checks that each input comes from an output that exists.

    [server] Func addImplicitDependencies in backend/src/v2/compiler/argocompiler/dag.go.
    """
    tasks = spec.root.dag.tasks

    def outputs(task: str) -> ir.ComponentOutputsSpec:
        return spec.components[tasks[task].component_ref.name].output_definitions

    for name, task in tasks.items():
        for dependency in task.dependent_tasks:
            if dependency not in tasks:
                yield f"{name} depends on {dependency}"
        for artifact in task.inputs.artifacts.values():
            source = artifact.task_output_artifact
            if source.producer_task not in tasks:
                yield f"{name}: unknown producer task {source.producer_task}"
            elif source.output_artifact_key not in outputs(source.producer_task).artifacts:
                yield f"{name}: {source.producer_task} has no {source.output_artifact_key}"
        for parameter in task.inputs.parameters.values():
            if parameter.WhichOneof("kind") != "task_output_parameter":
                continue
            output = parameter.task_output_parameter
            if output.producer_task not in tasks:
                yield f"{name}: unknown producer task {output.producer_task}"
            elif output.output_parameter_key not in outputs(output.producer_task).parameters:
                yield f"{name}: {output.producer_task} has no {output.output_parameter_key}"


def _parameters(spec: ir.PipelineSpec) -> Iterator[str]:
    """Checks that each declared input is given.

    [server] validatePipelineJobInputs (v2_template.go). [ours] resolveInputs of the driver.
    """
    for name, parameter in spec.root.input_definitions.parameters.items():
        if not (parameter.HasField("default_value") or parameter.is_optional):
            yield f"parameter {name} has no default"
    for name, task in spec.root.dag.tasks.items():
        wanted = spec.components[task.component_ref.name].input_definitions
        for kind in ("parameters", "artifacts"):
            given, known = (set(getattr(inputs, kind)) for inputs in (task.inputs, wanted))
            if given != known:
                yield f"{name}: {kind} {sorted(given ^ known)} are not both given and declared"


def _platform(
    deployment: ir.PipelineDeploymentConfig, platform: list[dict[str, Any]]
) -> Iterator[str]:
    """Checks the Kubernetes settings.

    [server] Unknown fields, at 2.17.0. [ours] Settings of what is no container.
    """
    for document in platform:
        executors = document["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
        for label, settings in executors.items():
            if deployment.executors[label].WhichOneof("spec") != "container":
                yield f"Kubernetes settings for {label}, which is no container"
            for unknown in settings.keys() - KUBERNETES_FIELDS:
                yield f"{label}: unknown Kubernetes field {unknown}"


def cycle(spec: ir.PipelineSpec) -> Iterator[str]:
    """Checks for a cycle. [server] Argo's validation of the workflow."""
    tasks = spec.root.dag.tasks
    try:
        graphlib.TopologicalSorter(
            {name: task.dependent_tasks for name, task in tasks.items()}
        ).prepare()
    except graphlib.CycleError as error:
        yield f"cycle {error.args[1]}"
