import functools
import os
import pathlib
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest
import yaml

from pipeline_def.kubeflow import following
from pipeline_def.kubeflow.__main__ import main
from tests.components.projector_exporter.exporting import write_export
from tests.pipeline_def.kubeflow.server import KubeflowPipelines, RefusedError, run_state

PROJECT = pathlib.Path(__file__).parents[3]
IMAGE = "registry.example.com/embedding-projector:1.0.0"


@pytest.fixture(autouse=True)
def configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setenv("PIPELINE__KUBEFLOW__IMAGE", IMAGE)
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT", raising=False)
    monkeypatch.setattr(following, "POLL_SECONDS", 0.01)
    monkeypatch.chdir(PROJECT)  # Of the schema file; outputs go to tmp_path.


@pytest.fixture
def server() -> Iterator[KubeflowPipelines]:
    with KubeflowPipelines() as running:
        yield running


def test_compile_to_a_file(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "pipeline.yaml"
    assert main(["compile", "--output", str(path)]) == 0
    assert capsys.readouterr().out == f"Compiled:    {path}\n"
    spec = next(yaml.safe_load_all(path.read_text()))
    assert spec["schemaVersion"] == "2.1.0"
    assert [file.name for file in path.parent.iterdir()] == ["pipeline.yaml"]


def test_compile_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", "--output", "-"]) == 0
    kubeflow = next(yaml.safe_load_all(capsys.readouterr().out))
    assert main(["compile", "--output", "-", "--vertex"]) == 0
    vertex = next(yaml.safe_load_all(capsys.readouterr().out))
    assert kubeflow["pipelineInfo"] == vertex["pipelineInfo"] == {"name": "sample"}
    assert kubeflow != vertex


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
    link = f"{version['pipeline_id']}/version/{version['pipeline_version_id']}"
    printed = f"Version:     sample {server.host}/#/pipelines/details/{link}\n"
    assert capsys.readouterr().out == printed
    assert not server.runs


def test_submit(
    server: KubeflowPipelines,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", server.host)
    words = ["submit", "--experiment", "Words", "--service-account", "trainer"]
    assert main([*words, "--pipeline-root", "s3://bucket/root"]) == 0
    ((run_id, run),) = server.runs.items()
    assert run["service_account"] == "trainer"
    assert run["runtime_config"]["pipeline_root"] == "s3://bucket/root"
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == [f"Run:         {server.host}/#/runs/details/{run_id}"]


def test_wait_for_a_run_that_succeeds(
    server: KubeflowPipelines, capsys: pytest.CaptureFixture[str]
) -> None:
    server.history = [
        run_state("RUNNING", {"Dataset": "SUCCEEDED", "TfdsExampleGen": "RUNNING"}),
        run_state("SUCCEEDED", {"Dataset": "SUCCEEDED", "TfdsExampleGen": "CACHED"}),
    ]
    assert main(["submit", "--host", server.host, "--wait"]) == 0
    (run_id,) = server.runs
    assert capsys.readouterr().out.splitlines()[2:] == [
        "Dataset              done         42 s",
        "TfdsExampleGen       running",
        "TfdsExampleGen       cached       42 s",
        "",
        "See it:      python -m pipeline_def.kubeflow fetch-projection "
        f"--run {run_id} --host {server.host}",
    ]


def test_wait_for_a_run_that_fails(
    server: KubeflowPipelines, capsys: pytest.CaptureFixture[str]
) -> None:
    server.history = [run_state("FAILED", {"Dataset": "SUCCEEDED", "TfdsExampleGen": "FAILED"})]
    assert main(["submit", "--host", server.host, "--wait"]) == 1
    printed = capsys.readouterr()
    (run_id,) = server.runs
    assert "TfdsExampleGen       failed       42 s" in printed.out
    expected = f"\nTfdsExampleGen failed; its log is in {server.host}/#/runs/details/{run_id}\n"
    assert printed.err == expected


def test_wait_for_a_run_that_is_canceled(
    server: KubeflowPipelines, capsys: pytest.CaptureFixture[str]
) -> None:
    server.history = [run_state("CANCELED", {"Dataset": "CANCELED"})]
    assert main(["submit", "--host", server.host, "--wait"]) == 1
    assert "The run ended as CANCELED" in capsys.readouterr().err


@pytest.mark.slow
def test_waiting_no_longer(server: KubeflowPipelines) -> None:
    server.history = [run_state("RUNNING", {"Dataset": "RUNNING"})]
    command = [sys.executable, "-m", "pipeline_def.kubeflow", "submit"]
    with subprocess.Popen(
        [*command, "--host", server.host, "--wait"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs, and what they start, ignore it.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as submitting:
        assert submitting.stdout is not None
        assert any(line == "Dataset              running\n" for line in submitting.stdout)
        submitting.send_signal(signal.SIGINT)
        _, said = submitting.communicate()
    (run_id,) = server.runs
    # After what TensorFlow 2.21 says at its import.
    assert said.endswith(f"\nThe run goes on: {server.host}/#/runs/details/{run_id}\n")
    assert "Traceback" not in said
    assert submitting.returncode == 130


@pytest.mark.parametrize("command", ["submit", "upload", "fetch-projection"])
def test_without_a_cluster(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [command, "--run", "7"] if command == "fetch-projection" else [command]
    assert main(words) == 1
    assert re.fullmatch(r"There is no cluster to ask: pass --host .*\n", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("image", "fault"), [("", "kubeflow.image"), ("registry/project", "tag or digest")]
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


def test_nothing_is_uploaded_with_a_bad_argument(
    server: KubeflowPipelines, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", "--host", server.host, "--arg", "epochs=3"]) == 1
    assert "--arg epochs=3: the pipeline has no parameter 'epochs'" in capsys.readouterr().err
    assert not server.versions


@pytest.mark.parametrize("option", [["--wait"], []])
def test_a_server_in_trouble(
    option: list[str], server: KubeflowPipelines, capsys: pytest.CaptureFixture[str]
) -> None:
    server.history = [RefusedError(500, "Internal Server Error")]
    assert main(["submit", "--host", server.host, *option]) == (1 if option else 0)
    said = f"{server.host} answered 500 Internal Server Error: Internal Server Error.\n"
    assert capsys.readouterr().err == (said if option else "")


def test_a_run_that_was_deleted(
    server: KubeflowPipelines, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "fetched"
    words = ["fetch-projection", "--host", server.host, "--run", "7", "--output", str(output)]
    assert main(words) == 1
    assert f"{server.host} has no run 7: it was deleted" in capsys.readouterr().err
    assert not output.exists()


@pytest.mark.slow
def test_fetch_a_projection_and_open_it(server: KubeflowPipelines, tmp_path: pathlib.Path) -> None:
    exported = tmp_path / "exported"
    write_export(exported / "reviews-1", [b"good", b"bad"], np.eye(2, dtype=np.float32))
    main(["submit", "--host", server.host])
    (run_id,) = server.runs
    server.record_output(run_id, "projection", str(exported), {"run_name": "reviews-1"})
    output = tmp_path / "fetched"

    command = [sys.executable, "-m", "pipeline_def.kubeflow", "fetch-projection"]
    options = ["--host", server.host, "--run", run_id, "--output", str(output)]
    fetched = subprocess.run(
        [*command, *options, "--download-only"], capture_output=True, text=True, check=True
    )
    assert fetched.stdout == f"Projection:  {output}\n"
    assert (output / "reviews-1" / "projector_config.pbtxt").is_file()

    with subprocess.Popen(
        [*command, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as tensorboard:
        try:
            assert tensorboard.stdout is not None
            assert next(tensorboard.stdout) == f"Projection:  {output}, fetched before\n"
            said = next(line for line in tensorboard.stdout if "http://localhost" in line)
            found = re.search(r"http://localhost:\d+", said)
            assert found is not None
            with urllib.request.urlopen(f"{found[0]}/data/plugin/projector/runs") as answer:
                assert answer.read() == b'["reviews-1"]'
        finally:
            tensorboard.terminate()


def test_no_traceback_for_a_user() -> None:
    command = [sys.executable, "-m", "pipeline_def.kubeflow", "submit", "--host", "kubeflow"]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 1
    assert ran.stderr == (
        "--host: 'kubeflow' is no address; expected one such as "
        "https://kubeflow.example.com/pipeline.\n"
    )
