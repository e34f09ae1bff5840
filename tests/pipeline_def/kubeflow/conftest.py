from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from pipeline_def.config import PipelineConfig, load
from pipeline_def.kubeflow.compiler import compile_pipeline
from tests.pipeline_def.kubeflow.server import KubeflowPipelines

MINIMAL = """
name: mine
dataset: {name: sample_reviews:1.0.0, builder_module: pipeline_def.sample_reviews}
evaluation: {min_accuracy: 0.5}
"""
IMAGE = "kubeflow: {image: registry.example.com/projector:1.0.0}"
EVERYTHING = """
beam: {direct_num_workers: 3}
kubeflow:
  image: registry.example.com:5000/embedding-projector:1.0.0
  pipeline_root: minio://mlpipeline/v2/artifacts
  baseline_model: s3://models/blessed
  data_dir: /data/tfds
  push_destination: gs://models/serving
  publish_dir: /data/published
  volumes: [{claim: datasets, mount_path: /data}]
  secrets: [{name: hub, environment: {token: HUB_TOKEN}}]
  defaults: {cpu: 0.5, memory: 500M, node_selector: {pool: small}, retries: 2}
  steps:
    EmbeddingTrainer:
      cpu: 4
      memory: 16Gi
      accelerator: nvidia.com/gpu
      accelerators: 2
      node_selector: {pool: gpu}
      tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
      shared_memory: 1Gi
      retries: 0
    Evaluator: {caching: false, node_selector: {}}
"""

Configured = Callable[..., PipelineConfig]


def tasks(compiled: str) -> dict[str, Any]:
    """Returns the tasks of a compiled pipeline by name."""
    found: dict[str, Any] = next(yaml.safe_load_all(compiled))["root"]["dag"]["tasks"]
    return found


@pytest.fixture
def server() -> Iterator[KubeflowPipelines]:
    with KubeflowPipelines() as running:
        yield running


@pytest.fixture(scope="session")
def configured(tmp_path_factory: pytest.TempPathFactory) -> Configured:
    """Returns a function that loads a minimal configuration, an addition and variables."""
    path = tmp_path_factory.mktemp("configuration") / "mine.yaml"

    def configure(addition: str = "", **variables: str) -> PipelineConfig:
        path.write_text(MINIMAL + addition)
        overrides = {f"PIPELINE__{name.upper()}": value for name, value in variables.items()}
        return load({"PIPELINE_CONFIG": str(path), **overrides})

    return configure


@pytest.fixture(scope="session")
def everything(configured: Configured) -> str:
    """Compiles the pipeline with every setting."""
    return compile_pipeline(configured(EVERYTHING))


@pytest.fixture(scope="session")
def plain(configured: Configured) -> str:
    """Compiles the pipeline with no setting but the image."""
    return compile_pipeline(configured(IMAGE))
