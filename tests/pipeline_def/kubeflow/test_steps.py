"""Runs the steps of the compiled sample one by one, as KFP does."""

import pathlib
import shutil
from collections.abc import Iterator

import pytest

from components.projector_directory.verify import verify
from pipeline_def.config import load
from pipeline_def.kubeflow import entrypoint
from pipeline_def.kubeflow.compiler import compile_pipeline
from tests.pipeline_def.kubeflow.cluster import Cluster

pytestmark = pytest.mark.slow


def compiled(directory: pathlib.Path, **settings: str) -> str:
    variables = {
        "KUBEFLOW__IMAGE": "registry.example.com/projector:1.0.0",
        "KUBEFLOW__DATA_DIR": str(directory / "tfds"),
        "KUBEFLOW__PUBLISH_DIR": str(directory / "published"),
        "KUBEFLOW__PUSH_DESTINATION": str(directory / "serving"),
        "KUBEFLOW__VOLUMES": f"[{{claim: data, mount_path: {directory}}}]",
        "TRAINING__EPOCHS": "20",
        **settings,
    }
    return compile_pipeline(load({f"PIPELINE__{k}": v for k, v in variables.items()}))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("cluster")
    with pytest.MonkeyPatch.context() as patch:
        # Replaces the container's /minio/, which not every user may create on this machine.
        patch.setitem(entrypoint._LOCAL_DIRECTORIES, "minio://", f"{directory}/minio/")
        cluster = Cluster(compiled(directory), directory / "store", directory / "minio")
        for task in cluster.order():
            cluster.run(task)
        yield cluster


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
    stored = cluster.stored(projection["uri"])
    assert verify(str(stored / projection["metadata"]["run_name"])) == []
    assert projection["metadata"]["rows"] > 100
    assert projection["metadata"]["dimensions"] == 16


def test_the_page_of_the_projection(cluster: Cluster) -> None:
    outputs = cluster.outputs["ProjectorExporter"]
    page, projection = (outputs[name]["uri"] for name in ("visualization", "projection"))
    html = cluster.stored(page).read_text()
    assert "sample_reviews:1.0.0" in html
    assert '<canvas id="map"' in html
    assert cluster.outputs["EmbeddingTrainer"]["model"]["uri"] in html
    assert str(cluster.local) not in html
    assert f"--recursive s3://{projection.removeprefix('minio://')} projection" in html


def test_no_artifact_is_known_by_a_path_of_the_container(cluster: Cluster) -> None:
    for outputs in cluster.outputs.values():
        for output in outputs.values():
            if isinstance(output, dict):
                assert output["uri"].startswith("minio://mlpipeline/")
                assert str(cluster.local) not in str(output["metadata"])


def test_the_projection_is_published_on_a_volume(cluster: Cluster) -> None:
    projection = cluster.outputs["ProjectorExporter"]["projection"]["metadata"]
    assert verify(str(cluster.store.parent / "published" / projection["run_name"])) == []


def test_a_baseline_is_compared_with(cluster: Cluster) -> None:
    """Runs without layouts, and shows that there is a map nevertheless."""
    model, baseline = cluster.outputs["EmbeddingTrainer"]["model"]["uri"], "minio://models/blessed"
    shutil.copytree(cluster.stored(model), cluster.stored(baseline))
    text = compiled(
        cluster.store.parent, KUBEFLOW__BASELINE_MODEL=baseline, PROJECTION__LAYOUTS="[]"
    )
    again = Cluster(text, cluster.store, cluster.local, dict(cluster.outputs))
    for task in ("BaselineModel", "Evaluator", "ProjectorExporter"):
        again.run(task)
    blessing = again.outputs["Evaluator"]["blessing"]["metadata"]
    assert (blessing["current_model"], blessing["baseline_model"]) == (model, baseline)
    outputs = again.outputs["ProjectorExporter"]
    assert outputs["projection"]["metadata"]["neighbor_overlap"] == 1
    html = again.stored(outputs["visualization"]["uri"]).read_text()
    assert "<dt>Neighbors kept against the baseline</dt><dd>100%</dd>" in html
