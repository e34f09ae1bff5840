"""Trains on two hosts, this machine and a network namespace; run by `make hosts`."""

import dataclasses
import json
import math
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pydantic
import pytest

from components.embedding_trainer import worker
from components.embedding_trainer.job import Job
from components.embedding_trainer.options import TrainingOptions
from components.embedding_trainer.trainer import train_model
from tests.hosts import Host, hosts
from tests.pipelines import PROJECT, RESOLVER, STEPS, Pipeline, Run

from . import harness
from .acting_hosts import state, wait_until

pytestmark = pytest.mark.hosts

ENDLESS: dict[str, Any] = {"epochs": 10**6, "early_stopping_patience": 0}

# Calls what the executor calls, in a process that does not import TFX.
CHIEF = """
import logging, sys
import pydantic
from components.embedding_trainer.cluster import train_on_hosts
from components.embedding_trainer.job import Job
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
train_on_hosts(pydantic.TypeAdapter(Job).validate_json(sys.argv[1]))
"""

# Makes the worker compute another initial embedding than the chief, as another CPU model may.
SITECUSTOMIZE = """
from sklearn.utils import extmath
svd = extmath.randomized_svd
def reversed_svd(*arguments, **options):
    left, values, right = svd(*arguments, **options)
    return left[:, ::-1], values, right
extmath.randomized_svd = reversed_svd
"""


@dataclasses.dataclass
class Hosts:
    """This machine, which runs the chief, and a host that runs a worker.

    Attributes:
        host: The worker's host.
        directory: The directory of the worker's log and of its sitecustomize.py.
        daemon: The worker's process; None before it is started.
    """

    host: Host
    directory: pathlib.Path
    daemon: subprocess.Popen[str] | None = None

    def address(self, port: int = 7077) -> str:
        return f"{self.host.address}:{port}"

    def start_worker(self) -> int:
        """Starts the worker if it is not running, and returns its process id."""
        if self.daemon and self.daemon.poll() is None:
            return self.daemon.pid
        (self.directory / "sitecustomize.py").write_text(SITECUSTOMIZE)
        with (self.directory / "log").open("a") as log:
            self.daemon = subprocess.Popen(
                self.host.command("-um", worker.__name__, self.address()),
                cwd=PROJECT,
                env={**os.environ, "PYTHONPATH": str(self.directory)},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.daemon.stdout
        assert self.daemon.stdout.readline() == f"Waiting for a chief on {self.address()}\n"
        return self.daemon.pid

    def start_chief(self, job: Job) -> subprocess.Popen[str]:
        self.start_worker()
        return subprocess.Popen(
            [sys.executable, "-c", CHIEF, _as_json(job)],
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture(scope="module")
def two_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    with hosts(["trainer"]) as (host,):
        made = Hosts(host, tmp_path_factory.mktemp("worker"))
        yield made
        if made.daemon:
            made.daemon.kill()
            made.daemon.wait()


def _as_json(job: Job) -> str:
    return pydantic.TypeAdapter(Job).dump_json(job).decode()


def _job(data: str, directory: pathlib.Path, address: str | None = None, **options: Any) -> Job:
    if address:
        options |= {"strategy": "multi_worker_mirrored", "workers": (address,)}
    logs = directory / "model_run"
    logs.mkdir(parents=True)
    return Job(
        examples=[os.path.join(data, "examples", "Split-train")],
        transform_graph=os.path.join(data, "graph"),
        class_names=[],
        text_feature="text",
        options=TrainingOptions(**options),
        model=str(directory / "model" / "Format-Serving"),
        logs=str(logs),
    )


def _weights(directory: pathlib.Path) -> dict[str, np.ndarray]:
    model = harness.artifact(harness.standard_artifacts.Model, str(directory / "model"))
    return harness.weights(model)


def _children(pid: int) -> list[int]:
    of_threads = pathlib.Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for path in of_threads for child in path.read_text().split()]


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("engine", ["beam", "local"])
def test_the_sample_is_trained_on_both_hosts(
    engine: str, two_hosts: Hosts, tmp_path: pathlib.Path
) -> None:
    def run_with(address: str) -> Run:
        variables = {
            "PIPELINE__TRAINING__STRATEGY": "multi_worker_mirrored",
            "PIPELINE__TRAINING__WORKERS": json.dumps([address]),
        }
        code = f"from pipeline_def import __main__; __main__.run({engine!r})"
        sample = Pipeline("sample", engine, tmp_path, variables)
        return sample.run_command([sys.executable, "-c", code])

    two_hosts.start_worker()
    run = run_with(two_hosts.address())
    assert run.code == 0, run.printed
    assert run.states == dict.fromkeys(STEPS | {RESOLVER}, "COMPLETE")
    assert "    Epoch 1/100: loss" in run.printed
    trained = run.artifacts["Model"].custom_properties
    assert trained["strategy"].string_value == "multi_worker_mirrored"
    assert trained["replicas"].int_value == 2
    assert trained["devices"].string_value == "2 CPU"
    # The cache key has no addresses: nothing listens on host2, yet the step is cached.
    assert run_with("host2:7077").states["EmbeddingTrainer"] == "CACHED"


def test_a_repeat_is_identical_and_equals_one_host(
    two_classes: str, two_hosts: Hosts, tmp_path: pathlib.Path
) -> None:
    # The global batch holds all examples, so an epoch is one step.
    options: dict[str, Any] = {"epochs": 5, "early_stopping_patience": 0}
    for name in ("first", "second"):
        job = _job(two_classes, tmp_path / name, two_hosts.address(), **options, batch_size=256)
        chief = two_hosts.start_chief(job)
        _, errors = chief.communicate(timeout=300)
        assert chief.returncode == 0, errors
    first, second = _weights(tmp_path / "first"), _weights(tmp_path / "second")
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])

    rate = TrainingOptions().learning_rate * math.sqrt(2)
    options |= {"strategy": "one_device", "batch_size": 512, "learning_rate": rate}
    train_model(_job(two_classes, tmp_path / "one", **options))
    for name, values in _weights(tmp_path / "one").items():
        np.testing.assert_allclose(first[name], values, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("whom", "how", "seconds", "named"),
    [
        ("chief's child", "kill", 15, "this host: the training process was ended by SIGKILL"),
        ("worker's child", "kill", 15, "{0}: the training process was ended by SIGKILL"),
        ("chief", "kill", 15, ""),
        ("worker", "kill", 15, "{0}: the connection was lost"),
        ("chief's child", "stop", 60, "this host: stopped answering"),
        ("worker's child", "stop", 60, "{0}: stopped answering"),
        ("link", "down", 60, "{0}: stopped answering"),
    ],
)
def test_a_host_that_fails_ends_the_training_is_named_and_leaves_no_process(
    whom: str,
    how: str,
    seconds: int,
    named: str,
    two_classes: str,
    two_hosts: Hosts,
    tmp_path: pathlib.Path,
) -> None:
    # Each case also shows that a training succeeds after the failure of the previous case.
    address = two_hosts.address()
    chief = two_hosts.start_chief(_job(two_classes, tmp_path, address, **ENDLESS))
    assert chief.stdout
    assert any(line.startswith("Epoch 5/") for line in chief.stdout), chief.communicate()[1]
    daemon = two_hosts.start_worker()
    (chiefs_child,), (workers_child,) = _children(chief.pid), _children(daemon)
    pids = {
        "chief": chief.pid,
        "chief's child": chiefs_child,
        "worker": daemon,
        "worker's child": workers_child,
    }
    if how == "down":
        two_hosts.host.link("down")
    else:
        os.kill(pids[whom], signal.SIGKILL if how == "kill" else signal.SIGSTOP)
    try:
        _, errors = chief.communicate(timeout=seconds)
    finally:
        two_hosts.host.link("up")
    if whom == "chief":
        assert chief.returncode == -signal.SIGKILL, errors[-1000:]
    else:
        assert chief.returncode != 0
        assert errors.strip().endswith(f"RuntimeError: {named.format(address)}"), errors[-1000:]
    wait_until(lambda: state(chiefs_child) == state(workers_child) == "Z")
    assert (state(daemon) == "Z") == (whom == "worker")
    assert not (tmp_path / "model").exists()


def test_the_next_run_succeeds(two_classes: str, two_hosts: Hosts, tmp_path: pathlib.Path) -> None:
    chief = two_hosts.start_chief(_job(two_classes, tmp_path, two_hosts.address(), epochs=1))
    printed, errors = chief.communicate(timeout=300)
    assert chief.returncode == 0, errors
    assert "Epoch 1/1" in printed
    assert "embedding" in _weights(tmp_path)


def test_a_worker_that_was_not_started(
    two_classes: str, two_hosts: Hosts, tmp_path: pathlib.Path
) -> None:
    address = two_hosts.address(7078)
    chief = two_hosts.start_chief(_job(two_classes, tmp_path, address))
    _, errors = chief.communicate(timeout=60)
    assert f"Start it there: python -m {worker.__name__} {address}" in errors


def test_an_output_directory_that_is_not_shared(
    two_classes: str, two_hosts: Hosts, tmp_path: pathlib.Path
) -> None:
    address = two_hosts.address(7079)
    command = two_hosts.host.command("-um", worker.__name__, address, hidden=tmp_path)
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as daemon:
        try:
            assert daemon.stdout
            assert daemon.stdout.readline()
            job = _job(two_classes, tmp_path / "here", address)
            chief = two_hosts.start_chief(job)
            _, errors = chief.communicate(timeout=60)
        finally:
            daemon.kill()
    assert f"The worker {address} does not see {job.logs}" in errors
