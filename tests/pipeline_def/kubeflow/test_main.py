import pathlib
import socket

import pytest
import yaml

from pipeline_def.kubeflow import wait_for_run
from pipeline_def.kubeflow.__main__ import main
from tests.pipeline_def.kubeflow.server import KubeflowPipelines, RefusedError, run_state

PROJECT = pathlib.Path(__file__).parents[3]
IMAGE = "registry.example.com/embedding-projector:1.0.0"


@pytest.fixture(autouse=True)
def configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setenv("PIPELINE__KUBEFLOW__IMAGE", IMAGE)
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT", raising=False)
    monkeypatch.setattr(wait_for_run, "POLL_SECONDS", 0.01)
    monkeypatch.chdir(PROJECT)  # The schema file's path is relative to it.


def exit_code(words: list[str]) -> object:
    """Returns the exit code, also when argparse raises SystemExit."""
    try:
        return main(words)
    except SystemExit as ended:
        return ended.code


def test_compile_to_a_file(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "pipeline.yaml"
    assert main(["compile", "--output", str(path)]) == 0
    assert capsys.readouterr().out == f"Compiled:    {path}\n"
    spec = next(yaml.safe_load_all(path.read_text()))
    assert spec["schemaVersion"] == "2.1.0"
    assert [file.name for file in path.parent.iterdir()] == ["pipeline.yaml"]


def test_compile_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", "--output", "-"]) == 0
    spec = next(yaml.safe_load_all(capsys.readouterr().out))
    assert spec["pipelineInfo"] == {"name": "sample"}


def test_compile_to_the_default_place(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIPELINE_CONFIG", str(PROJECT / "pipeline_def/configs/sample.yaml"))
    (tmp_path / "schemas").symlink_to(PROJECT / "schemas")
    monkeypatch.chdir(tmp_path)
    assert main(["compile"]) == 0
    assert (tmp_path / "output" / "sample.yaml").is_file()


def test_upload(server: KubeflowPipelines, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["upload", "--host", server.host]) == 0
    ((_, (version,)),) = server.versions.items()
    link = f"{server.host}/#/pipelines/details/{version['pipeline_id']}"
    assert capsys.readouterr().out == f"Pipeline details: {link}\n"
    assert not server.runs


def test_submit(
    server: KubeflowPipelines,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", server.host)
    assert main(["submit", "--experiment", "Words", "--service-account", "trainer"]) == 0
    ((run_id, run),) = server.runs.items()
    assert run["service_account"] == "trainer"
    assert list(server.experiments) == ["Words"]
    assert f"Run details: {server.host}/#/runs/details/{run_id}\n" in capsys.readouterr().out


def test_the_namespace_reaches_kubeflow() -> None:
    with KubeflowPipelines(multi_user=True) as server:
        assert main(["submit", "--host", server.host, "--namespace", "anna"]) == 0
        assert list(server.versions) == [("anna", "sample")]


def test_the_configured_pipeline_root_is_sent_with_the_run(
    server: KubeflowPipelines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """KFP's driver takes the root of the run or of the cluster, never that of the pipeline."""
    monkeypatch.setenv("PIPELINE__KUBEFLOW__PIPELINE_ROOT", "s3://configured")
    assert main(["submit", "--host", server.host]) == 0
    (run,) = server.runs.values()
    assert run["runtime_config"]["pipeline_root"] == "s3://configured"


@pytest.mark.parametrize(("option", "status"), [([], "enabled"), (["--disable"], "disabled")])
def test_submit_a_recurring_run(
    option: list[str],
    status: str,
    server: KubeflowPipelines,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", server.host)
    assert main(["submit", "--cron", "0 3 * * *", *option]) == 0
    (run,) = server.recurring.values()
    assert run["trigger"]["cron_schedule"]["cron"] == "0 0 3 * * *"
    line = f"sample               0 0 3 * * *          {status}"
    assert capsys.readouterr().out.splitlines()[-1] == line
    assert not server.runs

    assert main(["recurring"]) == 0
    assert capsys.readouterr().out == f"{line}\n"
    assert main(["recurring", "--delete", "sampel"]) == 1
    assert "there is no recurring run 'sampel'" in capsys.readouterr().err
    assert main(["recurring", "--delete", "sample"]) == 0
    assert not server.recurring


def test_somebody_elses_recurring_run_is_listed(
    server: KubeflowPipelines, capsys: pytest.CaptureFixture[str]
) -> None:
    trigger = {"periodic_schedule": {"interval_second": "60"}}
    server.recurring = {"1": {"display_name": "hers", "mode": "ENABLE", "trigger": trigger}}
    assert main(["recurring", "--host", server.host]) == 0
    assert capsys.readouterr().out == "hers                 at intervals         enabled\n"
    assert main(["submit", "--host", server.host, "--cron", "0 3 * * *"]) == 0
    assert len(server.recurring) == 2


@pytest.mark.parametrize(
    ("options", "code", "error"),
    [
        (["--cron", "0 0 3 * * *"], 2, "argument --cron: expected five fields"),
        (["--cron", "@daily"], 2, "argument --cron: expected five fields"),
        (["--cron", ""], 2, "argument --cron: expected five fields"),
        (["--cron", "0 3 * * *", "--wait"], 2, "--wait: not allowed with argument --cron"),
        (["--disable"], 1, "--disable: expected --cron"),
    ],
)
def test_options_that_do_not_fit_upload_nothing(
    options: list[str],
    code: int,
    error: str,
    server: KubeflowPipelines,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exit_code(["submit", "--host", server.host, *options]) == code
    assert error in capsys.readouterr().err
    assert not server.versions


def test_wait_for_a_run_that_succeeds(
    server: KubeflowPipelines, capsys: pytest.CaptureFixture[str]
) -> None:
    server.history = [
        run_state("RUNNING", {"Dataset": "SUCCEEDED", "TfdsExampleGen": "RUNNING"}),
        run_state("SUCCEEDED", {"Dataset": "SUCCEEDED", "TfdsExampleGen": "CACHED"}),
    ]
    assert main(["submit", "--host", server.host, "--wait"]) == 0
    assert capsys.readouterr().out.splitlines()[3:] == [
        "Dataset              done         42 s",
        "TfdsExampleGen       running",
        "TfdsExampleGen       done         42 s",
    ]


@pytest.mark.parametrize(
    ("state", "steps", "line"),
    [
        (
            "FAILED",
            {"Dataset": "SUCCEEDED", "TfdsExampleGen": "FAILED"},
            "TfdsExampleGen       failed       42 s",
        ),
        ("CANCELED", {"Dataset": "CANCELED"}, "Dataset              canceled     42 s"),
    ],
)
def test_wait_for_a_run_that_does_not_succeed(
    state: str,
    steps: dict[str, str],
    line: str,
    server: KubeflowPipelines,
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = {"code": 13, "message": "Error: exit status 1"}
    server.history = [{**run_state(state, steps), "error": error}]
    assert main(["submit", "--host", server.host, "--wait"]) == 1
    printed = capsys.readouterr()
    assert printed.out.splitlines()[-1] == line
    assert printed.err.startswith(f"\nThe run ended as {state}, Error: exit status 1. See ")


def test_waiting_no_longer(
    server: KubeflowPipelines,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    server.history = [run_state("RUNNING", {"Dataset": "RUNNING"})]
    monkeypatch.setattr(wait_for_run.time, "sleep", interrupt)
    assert main(["submit", "--host", server.host, "--wait"]) == 130
    (run_id,) = server.runs
    assert capsys.readouterr().err == f"\nThe run {run_id} goes on.\n"


@pytest.mark.parametrize("command", ["submit", "upload", "recurring"])
def test_without_a_cluster(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code([command]) == 2
    assert "the following arguments are required: --host" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("image", "fault"), [("", "kubeflow.image"), ("registry/project", "fixed tag or a digest")]
)
def test_nothing_is_uploaded_of_a_configuration_that_cannot_run(
    image: str,
    fault: str,
    server: KubeflowPipelines,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("PIPELINE__KUBEFLOW__IMAGE", image)
    assert main(["submit", "--host", server.host]) == 1
    assert fault in capsys.readouterr().err
    assert not server.versions


def test_a_server_in_trouble(server: KubeflowPipelines, capsys: pytest.CaptureFixture[str]) -> None:
    server.history = [RefusedError(404, "Run not found.")]
    assert main(["submit", "--host", server.host]) == 0
    assert main(["submit", "--host", server.host, "--wait"]) == 1
    assert capsys.readouterr().err == f"{server.host} answered 404: Run not found.\n"


@pytest.mark.parametrize("command", ["submit", "upload", "recurring"])
def test_nobody_listens(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as bound:  # Bound, but not listening.
        bound.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{bound.getsockname()[1]}"
        assert main([command, "--host", host]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"{host} does not answer: ")
    assert error.endswith(
        ": Failed to establish a new connection: [Errno 111] Connection refused\n"
    )
    assert " object at " not in error


def test_a_missing_token_file(
    server: KubeflowPipelines, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "token"
    assert main(["recurring", "--host", server.host, "--token-file", str(path)]) == 1
    assert capsys.readouterr().err == f"[Errno 2] No such file or directory: '{path}'\n"
