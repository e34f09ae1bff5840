from collections.abc import Iterator

import pytest

from pipeline_def.kubeflow import following
from pipeline_def.kubeflow.client import Cluster, ClusterError
from tests.pipeline_def.kubeflow.server import KubeflowPipelines, RefusedError, run_state
from tests.pipeline_def.kubeflow.test_client import PIPELINE

STEPS = ["Evaluator", "Examples", "Trainer"]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[KubeflowPipelines]:
    monkeypatch.setattr(following, "POLL_SECONDS", 0.01)
    with KubeflowPipelines() as running:
        yield running


def _start(server: KubeflowPipelines) -> tuple[Cluster, str]:
    cluster = Cluster(server.host)
    return cluster, cluster.start(cluster.upload(PIPELINE, "reviews"), "reviews-1", {})


def test_a_line_as_each_step_starts_and_ends(
    server: KubeflowPipelines, capsys: pytest.CaptureFixture[str]
) -> None:
    server.history = [
        {"state": "PENDING"},
        run_state("RUNNING", {"Examples": "CACHED", "Trainer": "RUNNING"}),
        run_state("RUNNING", {"Examples": "CACHED", "Trainer": "RUNNING"}),
        run_state("RUNNING", {"Examples": "CACHED", "Trainer": "SUCCEEDED"}),
        run_state(
            "SUCCEEDED", {"Examples": "CACHED", "Trainer": "SUCCEEDED", "Evaluator": "SUCCEEDED"}
        ),
    ]
    run = following.follow(*_start(server), STEPS)

    assert run.state == "SUCCEEDED"
    assert following.failed_step(run, STEPS) is None
    assert capsys.readouterr().out.splitlines() == [
        "Examples             cached       42 s",
        "Trainer              running",
        "Trainer              done         42 s",
        "Evaluator            done         42 s",
    ]


@pytest.mark.parametrize("failure", ["FAILED", "DRIVER_FAILED"])
def test_a_step_fails(
    failure: str, server: KubeflowPipelines, capsys: pytest.CaptureFixture[str]
) -> None:
    server.history = [run_state("FAILED", {"Examples": "SUCCEEDED", "Trainer": failure})]
    run = following.follow(*_start(server), STEPS)

    assert run.state == "FAILED"
    assert following.failed_step(run, STEPS) == "Trainer"
    assert capsys.readouterr().out.splitlines() == [
        "Examples             done         42 s",
        "Trainer              failed       42 s",
    ]


def test_a_cluster_may_be_away_for_a_while(server: KubeflowPipelines) -> None:
    away = [RefusedError(503, "upstream connect error")] * 3
    server.history = [*away, {"state": "RUNNING"}, *away, {"state": "SUCCEEDED"}]
    assert following.follow(*_start(server), STEPS).state == "SUCCEEDED"


def test_a_cluster_that_stays_away(server: KubeflowPipelines) -> None:
    server.history = [RefusedError(503, "upstream connect error")]
    with pytest.raises(ClusterError, match="503 Service Unavailable: upstream connect error"):
        following.follow(*_start(server), STEPS)


def test_a_run_that_is_deleted(server: KubeflowPipelines) -> None:
    cluster, run_id = _start(server)
    del server.runs[run_id]
    with pytest.raises(ClusterError, match=f"has no run {run_id}: it was deleted"):
        following.follow(cluster, run_id, STEPS)
