import kfp_server_api
import pytest
import urllib3

from pipeline_def.kubeflow import wait_for_run as module
from pipeline_def.kubeflow.client import Client
from pipeline_def.kubeflow.wait_for_run import wait_for_run
from tests.pipeline_def.kubeflow.server import KubeflowPipelines, RefusedError, run_state
from tests.pipeline_def.kubeflow.test_client import start

STEPS = ["Evaluator", "Examples", "Trainer"]


@pytest.fixture(autouse=True)
def short_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "POLL_SECONDS", 0.01)


def _start(server: KubeflowPipelines) -> tuple[Client, str]:
    client = Client(server.host)
    return client, start(client)


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
    run = wait_for_run(*_start(server), STEPS)

    assert run.state == "SUCCEEDED"
    assert _lines(capsys) == [
        "Examples             done         42 s",
        "Trainer              running",
        "Trainer              done         42 s",
        "Evaluator            done         42 s",
    ]


def test_tasks_without_times(server: KubeflowPipelines, capsys: pytest.CaptureFixture[str]) -> None:
    tasks = [
        {"display_name": "Examples", "state": "SKIPPED", "start_time": "2026-01-01T10:00:00Z"},
        {"display_name": "Trainer", "state": "PENDING"},
    ]
    server.history = [{"state": "SUCCEEDED", "run_details": {"task_details": tasks}}]
    wait_for_run(*_start(server), STEPS)
    assert _lines(capsys) == ["Examples             skipped"]


def _lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Returns the printed lines without the links that kfp prints."""
    return [line for line in capsys.readouterr().out.splitlines() if " details: " not in line]


@pytest.mark.parametrize("failure", ["FAILED", "DRIVER_FAILED"])
def test_a_step_fails(
    failure: str, server: KubeflowPipelines, capsys: pytest.CaptureFixture[str]
) -> None:
    server.history = [run_state("FAILED", {"Examples": "SUCCEEDED", "Trainer": failure})]
    run = wait_for_run(*_start(server), STEPS)

    assert run.state == "FAILED"
    assert _lines(capsys) == [
        "Examples             done         42 s",
        "Trainer              failed       42 s",
    ]


@pytest.mark.parametrize("status", [503, 500])
def test_errors_in_between_are_forgotten(
    status: int, server: KubeflowPipelines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only consecutive errors count, since a run of hours may meet more of them in total."""
    monkeypatch.setattr(module, "MAX_FAILURES", 3)
    away = RefusedError(status, "upstream connect error")
    for _ in range(5):
        server.history += [away, away, {"state": "RUNNING"}]
    server.history.append({"state": "SUCCEEDED"})
    assert wait_for_run(*_start(server), STEPS).state == "SUCCEEDED"


def test_a_cluster_that_stays_away(
    server: KubeflowPipelines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FAILURES", 3)
    away = [RefusedError(503, "upstream connect error")] * 3
    server.history = [{"state": "RUNNING"}, *away, {"state": "SUCCEEDED"}]
    with pytest.raises(kfp_server_api.ApiException, match="upstream connect error"):
        wait_for_run(*_start(server), STEPS)


def test_a_cluster_that_cannot_be_reached(
    server: KubeflowPipelines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_FAILURES", 3)
    running = _start(server)
    server.__exit__()
    slept: list[float] = []
    monkeypatch.setattr(module.time, "sleep", slept.append)
    with pytest.raises(urllib3.exceptions.HTTPError, match="Connection refused"):
        wait_for_run(*running, STEPS)
    assert len(slept) >= 2


def test_a_refusal_does_not_pass(server: KubeflowPipelines) -> None:
    server.history = [RefusedError(403, "not yours"), {"state": "SUCCEEDED"}]
    with pytest.raises(kfp_server_api.ApiException, match="not yours"):
        wait_for_run(*_start(server), STEPS)


def test_a_run_that_is_deleted(server: KubeflowPipelines) -> None:
    client, run_id = _start(server)
    del server.runs[run_id]
    with pytest.raises(kfp_server_api.ApiException, match=f"Run {run_id} not found"):
        wait_for_run(client, run_id, STEPS)
