"""Runs the sample pipeline with Beam workers on two hosts, through Beam's Python job server."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import tensorflow as tf

from pipeline_def.beam_worker import PORT
from tests.hosts import ADDRESS, Host, hosts
from tests.pipelines import STEPS, Pipeline, Run

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(1200),
]

JOB_PORT = 51000


@pytest.fixture(scope="module")
def two_hosts() -> Iterator[list[Host]]:
    with hosts(["beam-a", "beam-b"]) as made:
        yield made


@contextlib.contextmanager
def pools(
    two_hosts: list[Host], directory: pathlib.Path, hidden: pathlib.Path | None = None
) -> Iterator[list[subprocess.Popen]]:
    """Starts the job server and a worker pool on each host; yields the pools' processes."""
    directory.mkdir(parents=True, exist_ok=True)
    addresses = [f"{host.address}:{PORT}" for host in two_hosts]
    server = [sys.executable, "-m", "tests.cluster.job_server", ADDRESS, str(JOB_PORT), *addresses]
    commands = {"server": server}
    for host in two_hosts:
        commands[host.name] = host.command("-um", "pipeline_def.beam_worker", hidden=hidden)
    started = [
        subprocess.Popen(
            command,
            stdout=(directory / f"{name}.log").open("ab"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        for name, command in commands.items()
    ]
    try:
        for address in [f"{ADDRESS}:{JOB_PORT}", *addresses]:
            wait_for(address)
        yield started[1:]
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_for(address: str) -> None:
    host, port = address.split(":")
    for _ in range(120):
        with contextlib.suppress(OSError):
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        time.sleep(0.5)
    raise TimeoutError(address)


def on_two_hosts(directory: pathlib.Path) -> Pipeline:
    return Pipeline(
        "sample",
        "beam",
        directory,
        {
            "PIPELINE__BEAM__RUNNER": "portable",
            "PIPELINE__BEAM__PIPELINE_ARGS": f"[--job_endpoint={ADDRESS}:{JOB_PORT}]",
        },
    )


@pytest.fixture(scope="module")
def remote(two_hosts: list[Host], tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return on_two_hosts(tmp_path_factory.mktemp("remote"))


@pytest.fixture(scope="module")
def remote_run(two_hosts: list[Host], remote: Pipeline) -> Run:
    with pools(two_hosts, remote.directory / "pools"):
        return remote.run_command(remote.make("run"))


def examples(pipeline: Pipeline, transformed: bool, split: str) -> list[str]:
    """Returns the examples of a split, ingested or transformed, sorted by their text."""
    artifact = pipeline.artifacts("Examples")[transformed]
    files = tf.io.gfile.glob(f"{artifact.uri}/Split-{split}/*")
    parsed = (
        tf.train.Example.FromString(record).features.feature
        for record in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator()
    )
    return sorted(str(sorted((key, str(found[key])) for key in found)) for found in parsed)


def test_the_whole_pipeline_runs(remote_run: Run) -> None:
    assert remote_run.code == 0, remote_run.printed
    assert remote_run.states.keys() >= STEPS
    assert "blessed, pushed to" in remote_run.line("Model")


def test_each_host_did_some_of_the_work(remote: Pipeline, remote_run: Run) -> None:
    for name in ("beam-a", "beam-b"):
        assert "Started worker" in (remote.directory / "pools" / f"{name}.log").read_text()


@pytest.mark.parametrize(
    ("transformed", "split"), [(False, "train"), (False, "eval"), (True, "train")]
)
def test_the_examples_are_those_of_a_run_in_memory(
    remote: Pipeline,
    remote_run: Run,
    sample: Pipeline,
    sample_run: Run,
    transformed: bool,
    split: str,
) -> None:
    found = examples(remote, transformed, split)
    assert len(found) > 500
    assert found == examples(sample, transformed, split)


def test_another_runner_runs_no_step_again(remote: Pipeline, remote_run: Run) -> None:
    here = Pipeline("sample", "beam", remote.directory)
    again = here.run_command(here.make("run"))
    assert again.code == 0, again.printed
    assert {again.states[step] for step in STEPS} == {"CACHED"}


def test_output_that_workers_do_not_share_is_refused(
    two_hosts: list[Host], tmp_path: pathlib.Path
) -> None:
    alone = on_two_hosts(tmp_path)
    output = alone.directory / "output"
    output.mkdir()
    with pools(two_hosts, tmp_path / "pools", hidden=output):
        run = alone.run_command(alone.make("run"))
    assert run.code != 0
    assert str(alone.root) in run.printed
    assert "under the same paths" in run.printed
    assert "Traceback" not in run.printed


def test_the_death_of_a_worker_ends_the_run_and_the_next_one_goes_on(
    two_hosts: list[Host], tmp_path: pathlib.Path
) -> None:
    pipeline = on_two_hosts(tmp_path)
    with pools(two_hosts, tmp_path / "pools"):
        with pipeline.spawn(pipeline.make("run")) as process:
            assert process.stdout
            for line in process.stdout:
                if line.startswith("Transform") and "running" in line:
                    break
            earlier = workers_of(two_hosts[1])  # Workers of the previous step, about to end.
            while not (new := workers_of(two_hosts[1]) - earlier):
                time.sleep(0.1)
            os.kill(new.pop(), signal.SIGKILL)
            printed = process.communicate(timeout=300)[0]
        assert process.returncode != 0
        assert "Transform failed" in printed
        again = pipeline.run_command(pipeline.make("run"))
    assert again.code == 0, again.printed
    assert again.states["TfdsExampleGen"] == "CACHED"


def workers_of(host: Host) -> set[int]:
    """Returns the process ids of the Beam workers on a host."""
    inside = subprocess.run(
        ["ip", "netns", "pids", host.namespace], capture_output=True, text=True, check=True
    )
    found = set()
    for pid in inside.stdout.split():
        with contextlib.suppress(OSError):
            if b"sdk_worker_main" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                found.add(int(pid))
    return found
