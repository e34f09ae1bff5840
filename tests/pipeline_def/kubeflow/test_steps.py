"""The sample, compiled, step by step as KFP runs it."""

import os
import pathlib
import uuid

import pytest

from components.projector_directory.verify import verify
from pipeline_def.config import load
from pipeline_def.kubeflow.compiler import compile_pipeline
from tests.pipeline_def.kubeflow.cluster import LAUNCHER, Cluster

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.access(LAUNCHER if LAUNCHER.exists() else "/", os.W_OK),
        reason=f"the steps find their inputs in {LAUNCHER}, which cannot be made here",
    ),
]


def compiled(directory: pathlib.Path, **settings: str) -> str:
    variables = {
        "IMAGE": "registry.example.com/projector:1.0.0",
        "DATA_DIR": str(directory / "tfds"),
        "PUSH_DESTINATION": str(directory / "serving"),
        **settings,
    }
    config = load(
        {
            "PIPELINE__TRAINING__EPOCHS": "6",
            **{f"PIPELINE__KUBEFLOW__{name}": value for name, value in variables.items()},
        }
    )
    return compile_pipeline(config)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Cluster:
    directory = tmp_path_factory.mktemp("cluster")
    cluster = Cluster(compiled(directory), directory / "store", f"test-{uuid.uuid4()}")
    for task in cluster.order():
        cluster.run(task)
    return cluster


def test_the_model_is_blessed_and_pushed(cluster: Cluster) -> None:
    assert cluster.outputs["Evaluator"]["blessing"]["metadata"]["blessed"] == 1
    pushed = cluster.outputs["Pusher"]["pushed_model"]["metadata"]["pushed_destination"]
    assert pathlib.Path(pushed, "saved_model.pb").exists()


def test_lineage_holds_what_the_data_was(cluster: Cluster) -> None:
    fingerprint = cluster.outputs["Dataset"]["input_fingerprint"]
    assert len(fingerprint) == 64
    assert cluster.outputs["Dataset"]["dataset"] == "sample_reviews:1.0.0"
    for step, output in (("TfdsExampleGen", "examples"), ("ProjectorExporter", "projection")):
        metadata = cluster.outputs[step][output]["metadata"]
        assert metadata["dataset_fingerprint"] == fingerprint
        assert metadata["dataset"] == "sample_reviews:1.0.0"


def test_the_projection_is_one_that_tensorboard_shows(cluster: Cluster) -> None:
    projection = cluster.outputs["ProjectorExporter"]["projection"]
    stored = cluster.store / projection["uri"].removeprefix("minio://")
    assert verify(str(stored / projection["metadata"]["run_name"])) == []
    assert projection["metadata"]["rows"] > 100
    assert projection["metadata"]["dimensions"] == 16


def test_the_page_of_the_projection(cluster: Cluster) -> None:
    outputs = cluster.outputs["ProjectorExporter"]
    page, projection = (outputs[name]["uri"] for name in ("visualization", "projection"))
    html = (cluster.store / page.removeprefix("minio://")).read_text()
    assert "sample_reviews:1.0.0" in html
    assert "data:image/png;base64," in html
    assert f"--recursive s3://{projection.removeprefix('minio://')} projection" in html


def test_no_artifact_is_known_by_a_path_of_the_container(cluster: Cluster) -> None:
    for outputs in cluster.outputs.values():
        for output in outputs.values():
            if isinstance(output, dict):
                assert output["uri"].startswith(f"minio://{cluster.bucket}/")
                assert str(cluster.local) not in str(output["metadata"])


def test_a_baseline_is_compared_with(cluster: Cluster) -> None:
    baseline = cluster.outputs["EmbeddingTrainer"]["model"]["uri"]
    text = compiled(cluster.store.parent, BASELINE_MODEL=baseline)
    again = Cluster(text, cluster.store, cluster.bucket, dict(cluster.outputs))
    for task in ("BaselineModel", "Evaluator", "ProjectorExporter"):
        again.run(task)
    blessing = again.outputs["Evaluator"]["blessing"]["metadata"]
    assert blessing["baseline_model"] == blessing["current_model"] == baseline
    assert again.outputs["ProjectorExporter"]["projection"]["metadata"]["neighbor_overlap"] == 1
