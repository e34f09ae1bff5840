"""Compiles the pipeline for open-source Kubeflow Pipelines (KFP) 2.

TFX's KubeflowV2DagRunner compiles for Vertex AI. `rewrite` changes its result into what KFP
accepts; the settings of each step are added here.
"""

import difflib
import pathlib
from collections.abc import Iterator
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as ir
from kubernetes.utils import parse_quantity
from tfx import v1 as tfx
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner

from pipeline_def import workers
from pipeline_def.config import ConfigError, PipelineConfig
from pipeline_def.kubeflow import artifact_types
from pipeline_def.kubeflow.rewrite import rewrite
from pipeline_def.kubeflow.settings import Kubeflow, StepSettings
from pipeline_def.pipeline import DeploymentTarget, create_pipeline

ENTRYPOINT = ("python", "-m", "pipeline_def.kubeflow.entrypoint")


def compile_pipeline(config: PipelineConfig) -> str:
    """Compiles the pipeline of a configuration.

    Args:
        config: The configuration, with the settings for the cluster in its section `kubeflow`.

    Returns:
        YAML: a PipelineSpec 2.1.0, and a second document if there are Kubernetes settings. The same
        configuration and code give the same bytes.

    Raises:
        ConfigError: The configuration names no image, a step that does not exist, or something that
            only this machine has.
    """
    settings = config.kubeflow
    config = _as_seen_by_steps(config)
    if faults := list(_faults(config)):
        lines = "\n  ".join(faults)
        raise ConfigError(f"The configuration cannot be compiled for a cluster:\n  {lines}")
    pipeline = create_pipeline(
        config,
        DeploymentTarget(
            pipeline_root="",
            serving_dir=settings.push_destination,
            baseline=lambda _: _baseline(settings),
            metadata=None,
            beam_pipeline_args=workers.beam_pipeline_args(config.beam),
        ),
    )
    runner = kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(
            default_image=settings.image,
            default_commands=ENTRYPOINT,
            use_pipeline_spec_2_1=True,
        )
    )
    with artifact_types.compilable():
        compiled = runner.run(pipeline, write_out=False)["pipelineSpec"]
    spec = json_format.ParseDict(compiled, ir.PipelineSpec())
    deployment = json_format.ParseDict(compiled["deploymentSpec"], ir.PipelineDeploymentConfig())
    rewrite(spec, deployment, pipeline)
    kubernetes = _set_up_steps(spec, deployment, settings)
    spec.deployment_spec.Clear()
    spec.deployment_spec.update(json_format.MessageToDict(deployment))
    return yaml.safe_dump_all([json_format.MessageToDict(spec), *kubernetes])


def _as_seen_by_steps(config: PipelineConfig) -> PipelineConfig:
    """Returns the configuration with the cluster's directories in place of this machine's."""
    data_dir = config.kubeflow.data_dir or config.dataset.data_dir
    dataset = config.dataset.model_copy(update={"data_dir": data_dir})
    publish_dir = config.kubeflow.publish_dir or config.publish_dir
    return config.model_copy(update={"dataset": dataset, "publish_dir": publish_dir})


def _faults(config: PipelineConfig) -> Iterator[str]:
    """Yields a message for each setting that does not work in the steps' containers."""
    settings = config.kubeflow
    if settings.image is None:
        yield (
            "kubeflow.image: is required to compile. Set it, or PIPELINE__KUBEFLOW__IMAGE, to the "
            "image that has this project, such as registry.example.com/embedding-projector:1.0.0."
        )
    paths = {
        # kubeflow.data_dir may be a directory of the image.
        "dataset.data_dir, or kubeflow.data_dir": not settings.data_dir and config.dataset.data_dir,
        "publish_dir, or kubeflow.publish_dir": config.publish_dir,
        "kubeflow.push_destination": settings.push_destination,
        **{f"dataset.files.{split}": path for split, path in (config.dataset.files or {}).items()},
    }
    mounts = [volume.mount_path for volume in settings.volumes]
    for key, path in paths.items():
        if not path or path.startswith("gs://"):
            continue
        if not any(pathlib.PurePath(path).is_relative_to(mount) for mount in mounts):
            yield (
                f"{key}: {path!r} is on none of kubeflow.volumes: a step does not see it, or "
                "loses what it writes there. Name a path on a volume, or a gs:// URI."
            )
    schema = pathlib.PurePath(config.dataset.schema_file or "")
    if schema.is_absolute() or ".." in schema.parts:
        yield (
            f"dataset.schema_file: the image does not have {str(schema)!r}. Put it into the "
            "project and name it by its path there, such as schemas/imdb_reviews.pbtxt."
        )
    if config.beam.runner != "local":
        yield (
            f"beam.runner: {config.beam.runner!r} cannot be used, because the workers of another "
            "runner do not see the directories of a step. Use local."
        )
    if config.training.workers:
        yield (
            "training.workers: a step on a cluster cannot train with workers, which do not see "
            "its container's files. Remove the key, and choose another strategy."
        )
    if config.metadata:
        yield "metadata: a cluster keeps ML Metadata in a store of its own. Remove the section."


def _baseline(settings: Kubeflow) -> tfx.dsl.Importer | None:
    if settings.baseline_model is None:
        return None
    return tfx.dsl.Importer(
        source_uri=settings.baseline_model,
        artifact_type=tfx.types.standard_artifacts.Model,
        output_key="model",
    ).with_id("BaselineModel")


def _set_up_steps(
    spec: ir.PipelineSpec, deployment: ir.PipelineDeploymentConfig, settings: Kubeflow
) -> list[dict[str, Any]]:
    """Applies KFP's settings to each step; returns the document of Kubernetes' settings, if any.

    The document stays a plain dictionary: Python 3.10 has no kfp-kubernetes with all its fields.
    """
    containers = {
        label.removeprefix("exec-"): executor.container
        for label, executor in deployment.executors.items()
        if executor.HasField("container")
    }
    for name in settings.steps:
        if name not in containers:
            near = difflib.get_close_matches(name, containers, n=1) or sorted(containers)
            raise ConfigError(
                f"kubeflow.steps.{name}: there is no such step. Did you mean {' or '.join(near)}?"
            )
    executors = {}
    for name, container in containers.items():
        step, task = settings.of_step(name), spec.root.dag.tasks[name]
        if not step.caching:
            task.ClearField("caching_options")
        if step.retries:
            task.retry_policy.max_retry_count = step.retries
        if step.cpu:
            container.resources.cpu_limit = step.cpu
        if step.memory:
            container.resources.memory_limit = float(parse_quantity(step.memory)) / 1e9  # In GB.
        if step.accelerator:
            container.resources.accelerator.type = step.accelerator
            container.resources.accelerator.count = step.accelerators
        if wanted := _kubernetes(settings, step):
            executors[f"exec-{name}"] = wanted
    if not executors:
        return []
    return [{"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}]


def _kubernetes(settings: Kubeflow, step: StepSettings) -> dict[str, Any]:
    """Returns the fields of a KubernetesExecutorConfig, see kubernetes_executor_config.proto."""
    wanted: dict[str, Any] = {
        "pvcMount": [
            {"constant": volume.claim, "mountPath": volume.mount_path}
            for volume in settings.volumes
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
        "nodeSelector": step.node_selector and {"labels": dict(step.node_selector)},
        "tolerations": [
            toleration.model_dump(exclude_none=True) for toleration in step.tolerations
        ],
        "emptyDirMounts": step.shared_memory
        and [
            {
                "volumeName": "shared-memory",
                "mountPath": "/dev/shm",
                "medium": "Memory",
                "sizeLimit": step.shared_memory,
            }
        ],
    }
    return {key: value for key, value in wanted.items() if value}
