"""Compiles the pipeline for open-source Kubeflow Pipelines (KFP) 2, or for Vertex AI.

TFX's KubeflowV2DagRunner writes for Vertex AI. What it writes is rewritten here to what the server
and the launcher of KFP take: README.md of this package says why each change is needed.
"""

import copy
import difflib
import pathlib
import re
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as ir
from tfx import v1 as tfx
from tfx.components.example_gen import utils as example_gen_utils
from tfx.dsl.components.base import base_component, base_node
from tfx.orchestration import data_types
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner
from tfx.utils import name_utils

from components import EmbeddingProjection, TfdsExampleGen
from components.tfds_example_gen.driver import Driver
from pipeline_def.config import ConfigError, Kubeflow, PipelineConfig, Resources
from pipeline_def.kubeflow import VISUALIZATION, artifact_types
from pipeline_def.pipeline import DeploymentTarget, create_pipeline

ENTRYPOINT = ("python", "-m", "pipeline_def.kubeflow.entrypoint")

# Of the step that runs TfdsExampleGen's driver. Not TfdsExampleGen-driver: the server makes a task
# NAME-driver beside each task NAME.
DATASET_STEP = "Dataset"
_RESOLVED_BY_DRIVER = ("dataset", example_gen_utils.FINGERPRINT_PROPERTY_NAME)

_IMPORTED = "artifact"

_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12} | {
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}


def compile_pipeline(config: PipelineConfig, vertex: bool = False) -> str:
    """Compiles the pipeline of a configuration.

    Args:
        config: What to run; its section `kubeflow` says how.
        vertex: Whether to compile for Vertex AI: what TFX's runner writes, unchanged.

    Returns:
        A PipelineSpec 2.1.0 in YAML, the same byte for byte for the same configuration and code.
        For KFP a second document follows if there are Kubernetes settings.

    Raises:
        ConfigError: The configuration names no image, a component that there is not, or something
            of this machine that a cluster does not have.
    """
    _require_portable(config)
    settings = config.kubeflow
    data_dir = settings.data_dir or config.dataset.data_dir
    dataset = config.dataset.model_copy(update={"data_dir": data_dir})
    publish_dir = settings.publish_dir or config.publish_dir
    pipeline = create_pipeline(
        config.model_copy(update={"dataset": dataset, "publish_dir": publish_dir}),
        DeploymentTarget(
            pipeline_root="",
            serving_dir=settings.push_destination,
            baseline=lambda _: _vertex_baseline() if vertex else _baseline(settings),
            metadata=None,
        ),
    )
    _set_resources(pipeline, settings.resources)
    runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(
            default_image=settings.image,
            default_commands=None if vertex else ENTRYPOINT,
            use_pipeline_spec_2_1=True,
        )
    )
    with artifact_types.compilable():
        spec = runner.run(pipeline, write_out=False)["pipelineSpec"]
    if vertex:
        return yaml.safe_dump(spec)
    rewrite(spec, pipeline)
    if settings.pipeline_root:
        spec["defaultPipelineRoot"] = settings.pipeline_root
    json_format.ParseDict(spec, ir.PipelineSpec())  # Raises on what is no field of it.
    return yaml.safe_dump_all([spec, *_platform_spec(spec, settings)])


def _require_portable(config: PipelineConfig) -> None:
    faults = []
    if config.kubeflow.image is None:
        faults.append(
            "kubeflow.image: is required to compile. Set it, or PIPELINE__KUBEFLOW__IMAGE, to the "
            "image that has this project, such as registry.example.com/embedding-projector:1.0.0."
        )
    for key, here, there in (
        ("dataset.data_dir", config.dataset.data_dir, config.kubeflow.data_dir),
        ("publish_dir", config.publish_dir, config.kubeflow.publish_dir),
    ):
        if here and not there and not here.startswith("gs://"):
            faults.append(
                f"{key}: the cluster does not see {here!r} of this machine. Set "
                f"kubeflow.{key.rpartition('.')[2]} to a path on one of kubeflow.volumes, or to a "
                "gs:// URI."
            )
    schema = config.dataset.schema_file
    if schema and (pathlib.Path(schema).is_absolute() or ".." in pathlib.Path(schema).parts):
        faults.append(
            f"dataset.schema_file: the cluster does not see {schema!r} of this machine. Put it "
            "into the project, which is in the image, and name it by its path there, such as "
            "schemas/imdb_reviews.pbtxt."
        )
    if config.metadata:
        faults.append(
            "metadata: a cluster keeps ML Metadata in a store of its own. Remove the section."
        )
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise ConfigError(f"The configuration cannot be compiled for a cluster:\n{lines}")


def _baseline(settings: Kubeflow) -> tfx.dsl.Importer | None:
    if settings.baseline_model is None:
        return None
    return tfx.dsl.Importer(
        source_uri=settings.baseline_model,
        artifact_type=tfx.types.standard_artifacts.Model,
        output_key="model",
    ).with_id("BaselineModel")


def _vertex_baseline() -> tfx.dsl.Resolver:
    # Of the strategies that give a model, the one that Vertex AI knows.
    return tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing),
    ).with_id("BaselineResolver")


def _set_resources(pipeline: tfx.dsl.Pipeline, resources: dict[str, Resources]) -> None:
    steps = {
        node.id: node
        for node in pipeline.components
        if isinstance(node, base_component.BaseComponent)
    }
    for name, wanted in resources.items():
        if name not in steps:
            near = difflib.get_close_matches(name, steps, n=1) or sorted(steps)
            raise ConfigError(
                f"kubeflow.resources.{name}: there is no such component. "
                f"Did you mean {' or '.join(near)}?"
            )
        steps[name].with_platform_config(_resource_spec(wanted))


def _resource_spec(
    wanted: Resources,
) -> ir.PipelineDeploymentConfig.PipelineContainerSpec.ResourceSpec:
    spec = ir.PipelineDeploymentConfig.PipelineContainerSpec.ResourceSpec()
    if wanted.cpu:
        spec.cpu_limit = wanted.cpu
    if wanted.memory:
        number = wanted.memory.rstrip("kKMGTi")
        unit = wanted.memory.removeprefix(number)
        spec.memory_limit = float(number) * _UNITS[unit] / _UNITS["G"]
    if wanted.accelerator:
        spec.accelerator.type = wanted.accelerator
        spec.accelerator.count = wanted.accelerators
    return spec


def rewrite(spec: dict[str, Any], pipeline: tfx.dsl.Pipeline) -> None:
    """Rewrites, in place, what TFX's runner compiled from a pipeline to what KFP takes.

    Args:
        spec: A PipelineSpec 2.1.0, as JSON.
        pipeline: The pipeline it was compiled from.
    """
    for node in pipeline.components:
        if isinstance(node, TfdsExampleGen):
            _add_dataset_step(spec, node.id)
        elif isinstance(node, tfx.dsl.Importer):
            _rename_import(spec, node.id)
        if any(channel.type is EmbeddingProjection for channel in node.outputs.values()):
            _add_visualization(spec, node.id)
        _set_parameter_defaults(spec, node)
    _correct_producers(spec)
    _rename(spec)


def _add_dataset_step(spec: dict[str, Any], name: str) -> None:
    """Makes the driver of TfdsExampleGen a step before it, since KFP runs no drivers.

    It is never cached, and TfdsExampleGen takes its dataset and fingerprint as parameters, so that
    KFP's cache serves unchanged data and not changed data.
    """
    executors, tasks = spec["deploymentSpec"]["executors"], spec["root"]["dag"]["tasks"]
    component, task = spec["components"][name], tasks[name]
    executor = copy.deepcopy(executors[component["executorLabel"]])
    arguments = executor["container"]["args"]
    arguments[:2] = ["--driver_class_path", name_utils.get_full_name(Driver)]
    label = f"{DATASET_STEP}_executor"
    executors[label] = executor
    text = {"parameterType": "STRING"}
    spec["components"][DATASET_STEP] = {
        "executorLabel": label,
        "inputDefinitions": copy.deepcopy(component["inputDefinitions"]),
        "outputDefinitions": {"parameters": {key: dict(text) for key in _RESOLVED_BY_DRIVER}},
    }
    tasks[DATASET_STEP] = {
        "taskInfo": {"name": DATASET_STEP},
        "componentRef": {"name": DATASET_STEP},
        "inputs": copy.deepcopy(task["inputs"]),
    }
    for key in _RESOLVED_BY_DRIVER:
        component["inputDefinitions"]["parameters"][key] = dict(text)
        task["inputs"]["parameters"][key] = {
            "taskOutputParameter": {"producerTask": DATASET_STEP, "outputParameterKey": key}
        }
    task.setdefault("dependentTasks", []).append(DATASET_STEP)


def _rename_import(spec: dict[str, Any], name: str) -> None:
    """Calls what an importer imports as kfp.local does."""
    component = spec["components"][name]
    outputs = component["outputDefinitions"]["artifacts"]
    (key,) = outputs
    outputs[_IMPORTED] = outputs.pop(key)
    for task in spec["root"]["dag"]["tasks"].values():
        for source in task.get("inputs", {}).get("artifacts", {}).values():
            output = source["taskOutputArtifact"]
            if output["producerTask"] == name:
                output["outputArtifactKey"] = _IMPORTED


def _add_visualization(spec: dict[str, Any], name: str) -> None:
    """Gives a step that exports a projection an output that KFP's pages show."""
    spec["components"][name]["outputDefinitions"]["artifacts"][VISUALIZATION] = {
        "artifactType": {"schemaTitle": "system.HTML", "schemaVersion": "0.0.1"}
    }


def _set_parameter_defaults(spec: dict[str, Any], node: base_node.BaseNode) -> None:
    """Brings back the defaults of RuntimeParameters, which TFX drops."""
    for value in node.exec_properties.values():
        if isinstance(value, data_types.RuntimeParameter) and value.default is not None:
            parameters = spec["root"]["inputDefinitions"]["parameters"]
            parameters[value.name]["defaultValue"] = value.default


def _correct_producers(spec: dict[str, Any]) -> None:
    """Names producers of parameters as the tasks are named; TFX appends ``_task``."""
    for task in spec["root"]["dag"]["tasks"].values():
        for source in task.get("inputs", {}).get("parameters", {}).values():
            output = source.get("taskOutputParameter")
            if output:
                output["producerTask"] = output["producerTask"].removesuffix("_task")


def _rename(spec: dict[str, Any]) -> None:
    """Gives tasks names that Argo takes, components and executors those that kfp.local expects."""
    executors = spec["deploymentSpec"]["executors"]
    dag = spec["root"]["dag"]
    for component in spec["components"].values():
        label = component["executorLabel"]
        component["executorLabel"] = f"exec-{_argo_name(label.removesuffix('_executor'))}"
        executors[component["executorLabel"]] = executors.pop(label)
    spec["components"] = {
        f"comp-{_argo_name(name)}": component for name, component in spec["components"].items()
    }
    for task in dag["tasks"].values():
        task["componentRef"]["name"] = f"comp-{_argo_name(task['componentRef']['name'])}"
        task["dependentTasks"] = [_argo_name(name) for name in task.get("dependentTasks", [])]
        inputs = task.get("inputs", {})
        sources = [*inputs.get("artifacts", {}).values(), *inputs.get("parameters", {}).values()]
        for source in sources:
            for output in source.values():
                if isinstance(output, dict) and "producerTask" in output:
                    output["producerTask"] = _argo_name(output["producerTask"])
    dag["tasks"] = {_argo_name(name): task for name, task in dag["tasks"].items()}


def _argo_name(name: str) -> str:
    return re.sub("[^-a-zA-Z0-9]", "-", name).strip("-")


def _platform_spec(spec: dict[str, Any], settings: Kubeflow) -> list[dict[str, Any]]:
    """Makes the second document; see KFP's kubernetes_executor_config.proto."""
    wanted: dict[str, Any] = {
        "pvcMount": [
            {"constant": volume.claim, "mountPath": volume.mount_path}
            for volume in settings.volumes
        ],
        "nodeSelector": settings.node_selector and {"labels": settings.node_selector},
        "tolerations": [
            toleration.model_dump(exclude_none=True) for toleration in settings.tolerations
        ],
        "secretAsEnv": [
            {
                "secretName": secret.name,
                "keyToEnv": [
                    {"secretKey": key, "envVar": variable}
                    for key, variable in secret.environment.items()
                ],
            }
            for secret in settings.secrets
        ],
    }
    wanted = {key: value for key, value in wanted.items() if value}
    if not wanted:
        return []
    containers = [
        label
        for label, executor in spec["deploymentSpec"]["executors"].items()
        if "container" in executor
    ]
    executors = {label: copy.deepcopy(wanted) for label in containers}  # Without YAML anchors.
    return [{"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}]
