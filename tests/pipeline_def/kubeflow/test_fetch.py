import pathlib
import re

import numpy as np
import pytest

from components.projector_exporter.verify import verify
from pipeline_def.kubeflow.client import Cluster, ClusterError
from pipeline_def.kubeflow.fetch import fetch_projection
from tests.components.projector_exporter.exporting import write_export
from tests.pipeline_def.kubeflow.server import KubeflowPipelines
from tests.pipeline_def.kubeflow.test_client import PIPELINE
from tests.tensorboard import TensorBoard

TOKENS = [b"good", b"bad", b"ugly", b"plot"]
MATRIX = np.arange(16, dtype=np.float32).reshape(4, 4)
URI = "minio://mlpipeline/v2/artifacts/reviews/7/ProjectorExporter/x/projection"
RUN_NAME = "reviews-20261122-134002"
PROPERTIES: dict[str, str | float] = {"run_name": RUN_NAME, "rows": 4.0, "dimensions": 4.0}


@pytest.fixture
def exported(tmp_path: pathlib.Path) -> pathlib.Path:
    artifact = tmp_path / "exported"
    write_export(artifact / RUN_NAME, TOKENS, MATRIX, layouts=("pca",))
    return artifact


def _finished_run(server: KubeflowPipelines, namespace: str | None = None) -> tuple[Cluster, str]:
    cluster = Cluster(server.host, namespace)
    run_id = cluster.start(cluster.upload(PIPELINE, "reviews"), "reviews-1", {})
    server.history = [{"state": "SUCCEEDED"}]
    return cluster, run_id


def _store(server: KubeflowPipelines, directory: pathlib.Path, uri: str) -> None:
    server.objects |= {
        f"{uri}/{path.relative_to(directory)}": path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def _contents(directory: pathlib.Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (directory / RUN_NAME).iterdir()}


@pytest.mark.parametrize("scheme", ["minio", "s3"])
def test_all_files_in_one_archive(
    scheme: str, exported: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    uri = URI.replace("minio", scheme)
    with KubeflowPipelines() as server:
        cluster, run_id = _finished_run(server)
        _store(server, exported, uri)
        server.record_output(run_id, "visualization", "minio://mlpipeline/v2/another")
        server.record_output(run_id, "projection", uri, PROPERTIES)
        server.record_output("another run", "projection", "minio://mlpipeline/v2/another")
        fetch_projection(cluster, run_id, tmp_path / "fetched" / run_id)

    assert _contents(tmp_path / "fetched" / run_id) == _contents(exported)
    assert [path.name for path in (tmp_path / "fetched").iterdir()] == [run_id]


def test_single_files_of_an_older_server(exported: pathlib.Path, tmp_path: pathlib.Path) -> None:
    directory = tmp_path / "fetched"
    with KubeflowPipelines(serves_archives=False) as server:
        cluster, run_id = _finished_run(server)
        _store(server, exported, URI)
        server.record_output(run_id, "projection", URI, PROPERTIES)
        fetch_projection(cluster, run_id, directory)

    fetched, whole = _contents(directory), _contents(exported)
    assert {name for name in fetched if "tfevents" not in name} == {
        "bookmarks.json",
        "checkpoint",
        "embedding.ckpt-1.data-00000-of-00001",
        "embedding.ckpt-1.index",
        "metadata.tsv",
        "projector_config.pbtxt",
    }
    assert all(whole[name] == fetched[name] for name in fetched if "tfevents" not in name)
    assert verify(str(directory / RUN_NAME)) == []
    with TensorBoard(directory) as tensorboard:  # It is listed, as a run of a directory above.
        assert tensorboard.json("runs") == [RUN_NAME]


def test_a_store_that_this_machine_reads_itself(
    exported: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    with KubeflowPipelines() as server:
        cluster, run_id = _finished_run(server)
        server.record_output(run_id, "projection", str(exported), PROPERTIES)
        fetch_projection(cluster, run_id, tmp_path / "fetched")
    assert _contents(tmp_path / "fetched") == _contents(exported)


def test_of_one_users_namespace(exported: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with KubeflowPipelines(multi_user=True) as server:
        cluster, run_id = _finished_run(server, "anna")
        _store(server, exported, URI)
        server.record_output(run_id, "projection", URI, PROPERTIES)
        fetch_projection(cluster, run_id, tmp_path / "fetched")
    assert _contents(tmp_path / "fetched") == _contents(exported)


def test_a_run_that_did_not_come_that_far(tmp_path: pathlib.Path) -> None:
    with KubeflowPipelines() as server:
        cluster, run_id = _finished_run(server)
        server.history = [{"state": "FAILED"}]
        fault = f"The run {run_id} has no projection; its state is FAILED. See .*{run_id}"
        with pytest.raises(ClusterError, match=fault):
            fetch_projection(cluster, run_id, tmp_path / "fetched")
        server.record_output(run_id, "examples", "minio://mlpipeline/v2/examples")
        with pytest.raises(ClusterError, match=fault):
            fetch_projection(cluster, run_id, tmp_path / "fetched")


def test_a_run_that_there_is_not(tmp_path: pathlib.Path) -> None:
    with KubeflowPipelines() as server, pytest.raises(ClusterError, match="has no run 7: it was"):
        fetch_projection(Cluster(server.host), "7", tmp_path / "fetched")


@pytest.mark.parametrize("serves_archives", [True, False])
def test_a_projection_that_is_no_more_in_the_store(
    serves_archives: bool, tmp_path: pathlib.Path
) -> None:
    with KubeflowPipelines(serves_archives=serves_archives) as server:
        cluster, run_id = _finished_run(server)
        server.record_output(run_id, "projection", URI, PROPERTIES)
        with pytest.raises(ClusterError, match=r"NoSuchKey: .*projector_config\.pbtxt"):
            fetch_projection(cluster, run_id, tmp_path / "fetched")
    assert not any(tmp_path.iterdir())


def test_a_projection_that_lost_a_file(exported: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (exported / RUN_NAME / "metadata.tsv").unlink()
    with KubeflowPipelines() as server:
        cluster, run_id = _finished_run(server)
        _store(server, exported, URI)
        server.record_output(run_id, "projection", URI, PROPERTIES)
        with pytest.raises(ClusterError, match=rf"{re.escape(URI)} is no whole .*metadata\.tsv"):
            fetch_projection(cluster, run_id, tmp_path / "fetched")
    assert [path.name for path in tmp_path.iterdir()] == ["exported"]


def test_a_store_that_this_machine_cannot_read(tmp_path: pathlib.Path) -> None:
    with KubeflowPipelines() as server:
        cluster, run_id = _finished_run(server)
        server.record_output(run_id, "projection", "/nowhere/projection", PROPERTIES)
        with pytest.raises(ClusterError, match=r"^/nowhere/projection cannot be read from here: "):
            fetch_projection(cluster, run_id, tmp_path / "fetched")
