"""Two hosts, which are network namespaces of this machine: `make hosts`."""

import contextlib
import dataclasses
import json
import math
import os
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pydantic
import pytest

from components.embedding_trainer import worker
from components.embedding_trainer.job import Job
from components.embedding_trainer.options import TrainingOptions
from components.embedding_trainer.trainer import train_model
from tests.pipelines import PROJECT, RESOLVER, STEPS, Pipeline, Run

from . import harness

pytestmark = pytest.mark.hosts

CHIEF_IP, WORKER_IP = "10.77.0.1", "10.77.0.2"
ADDRESS = f"{WORKER_IP}:7077"
SEVERAL: dict[str, Any] = {"strategy": "multi_worker_mirrored", "workers": (ADDRESS,)}
ENDLESS: dict[str, Any] = {"epochs": 10**6, "early_stopping_patience": 0}

# Trains as the executor does, in a process that does not wait for TFX.
CHIEF = """
import logging, sys
import pydantic
from components.embedding_trainer.cluster import train_on_hosts
from components.embedding_trainer.job import Job
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
train_on_hosts(pydantic.TypeAdapter(Job).validate_json(sys.argv[1]))
"""


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


@dataclasses.dataclass
class Hosts:
    """Two hosts on one link, and the worker on the second.

    Attributes:
        chief: Namespace of the first host.
        other: Namespace of the second.
        log: What the worker prints.
        daemon: The worker; None before it is started.
    """

    chief: str
    other: str
    log: pathlib.Path
    daemon: subprocess.Popen[str] | None = None

    def command(self, namespace: str, *arguments: str) -> list[str]:
        return ["ip", "netns", "exec", namespace, sys.executable, *arguments]

    def start_worker(self) -> int:
        """Starts the worker unless it runs; returns its process id."""
        if self.daemon and self.daemon.poll() is None:
            return self.daemon.pid
        # Another kernel of OpenBLAS than the chief's, as on another kind of CPU.
        environment = {**os.environ, "OPENBLAS_CORETYPE": "Haswell"}
        with self.log.open("a") as log:
            self.daemon = subprocess.Popen(
                self.command(self.other, "-u", "-m", worker.__name__, ADDRESS),
                cwd=PROJECT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.daemon.stdout
        assert self.daemon.stdout.readline() == f"Waiting for a chief on {ADDRESS}\n"
        return self.daemon.pid

    def start_chief(self, job: Job) -> subprocess.Popen[str]:
        self.start_worker()
        return subprocess.Popen(
            self.command(self.chief, "-c", CHIEF, _as_json(job)),
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def link(self, state: str) -> None:
        _ip("-n", self.chief, "link", "set", "eth0", state)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    first, second = (f"embedding-{os.getpid()}-{name}" for name in ("chief", "worker"))
    with contextlib.ExitStack() as stack:
        try:
            for name in (first, second):
                _ip("netns", "add", name)
                stack.callback(_ip, "netns", "delete", name)
            ends = ("eth0", "type", "veth", "peer", "name", "eth0", "netns", second)
            _ip("-n", first, "link", "add", *ends)
            for name, address in ((first, CHIEF_IP), (second, WORKER_IP)):
                _ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
                _ip("-n", name, "link", "set", "lo", "up")
                _ip("-n", name, "link", "set", "eth0", "up")
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"needs iproute2 and the right to make network namespaces: {error}")
        made = Hosts(first, second, tmp_path_factory.mktemp("worker") / "log")
        yield made
        if made.daemon:
            made.daemon.kill()
            made.daemon.wait()


def _as_json(job: Job) -> str:
    return pydantic.TypeAdapter(Job).dump_json(job).decode()


def _job(data: str, directory: pathlib.Path, **options: Any) -> Job:
    logs = directory / "model_run"
    logs.mkdir(parents=True)
    return Job(
        examples=[os.path.join(data, "examples", "Split-train")],
        transform_graph=os.path.join(data, "graph"),
        class_names=[],
        base_model=None,
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


def _wait_until(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _is_gone(pid: int) -> bool:
    try:
        return ") Z " in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return True


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("engine", ["beam", "local"])
def test_the_sample_is_trained_on_both_hosts(
    engine: str, hosts: Hosts, tmp_path: pathlib.Path
) -> None:
    def run_with(address: str) -> Run:
        variables = {
            "PIPELINE__TRAINING__STRATEGY": "multi_worker_mirrored",
            "PIPELINE__TRAINING__WORKERS": json.dumps([address]),
        }
        code = f"from pipeline_def import __main__; __main__.run({engine!r})"
        sample = Pipeline("sample", engine, tmp_path, variables)
        return sample.run_command(hosts.command(hosts.chief, "-c", code))

    hosts.start_worker()
    run = run_with(ADDRESS)
    assert run.code == 0, run.printed
    assert run.states == dict.fromkeys(STEPS | {RESOLVER}, "COMPLETE")
    assert "    Epoch 1/50: loss" in run.printed
    trained = run.artifacts["Model"].custom_properties
    assert trained["strategy"].string_value == "multi_worker_mirrored"
    assert trained["replicas"].int_value == 2
    assert trained["devices"].string_value == "2 CPU"
    # The address is not in the cache key, and nobody listens there.
    assert run_with("10.77.0.3:7077").states["EmbeddingTrainer"] == "CACHED"


def test_a_repeat_is_identical_and_equals_one_host(
    two_classes: str, hosts: Hosts, tmp_path: pathlib.Path
) -> None:
    # One step an epoch, of all examples.
    options: dict[str, Any] = {"epochs": 5, "early_stopping_patience": 0}
    for name in ("first", "second"):
        job = _job(two_classes, tmp_path / name, **options, **SEVERAL, batch_size=256)
        chief = hosts.start_chief(job)
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
        ("worker's child", "kill", 15, f"{ADDRESS}: the training process was ended by SIGKILL"),
        ("chief", "kill", 15, ""),
        ("worker", "kill", 15, f"{ADDRESS}: the connection was lost"),
        ("chief's child", "stop", 60, "this host: stopped answering"),
        ("worker's child", "stop", 60, f"{ADDRESS}: stopped answering"),
        ("link", "down", 60, f"{ADDRESS}: stopped answering"),
    ],
)
def test_a_host_that_fails_ends_the_training_is_named_and_leaves_no_process(
    whom: str,
    how: str,
    seconds: int,
    named: str,
    two_classes: str,
    hosts: Hosts,
    tmp_path: pathlib.Path,
) -> None:
    # Each case is also the next run after the case before.
    chief = hosts.start_chief(_job(two_classes, tmp_path, **ENDLESS, **SEVERAL))
    assert chief.stdout
    assert any(line.startswith("Epoch 5/") for line in chief.stdout), chief.communicate()[1]
    daemon = hosts.start_worker()
    (chiefs_child,), (workers_child,) = _children(chief.pid), _children(daemon)
    pids = {
        "chief": chief.pid,
        "chief's child": chiefs_child,
        "worker": daemon,
        "worker's child": workers_child,
    }
    if how == "down":
        hosts.link("down")
    else:
        os.kill(pids[whom], signal.SIGKILL if how == "kill" else signal.SIGSTOP)
    try:
        _, errors = chief.communicate(timeout=seconds)
    finally:
        hosts.link("up")
    assert chief.returncode != 0
    assert errors.strip().endswith(f"RuntimeError: {named}" if named else ""), errors[-1000:]
    _wait_until(lambda: _is_gone(chiefs_child) and _is_gone(workers_child), 30)
    assert _is_gone(daemon) == (whom == "worker")
    assert not (tmp_path / "model").exists()


def test_the_next_run_succeeds(two_classes: str, hosts: Hosts, tmp_path: pathlib.Path) -> None:
    chief = hosts.start_chief(_job(two_classes, tmp_path, epochs=1, **SEVERAL))
    printed, errors = chief.communicate(timeout=300)
    assert chief.returncode == 0, errors
    assert "Epoch 1/1" in printed
    assert "embedding" in _weights(tmp_path)


def test_a_worker_that_was_not_started(
    two_classes: str, hosts: Hosts, tmp_path: pathlib.Path
) -> None:
    several = {**SEVERAL, "workers": (f"{WORKER_IP}:7078",)}
    chief = hosts.start_chief(_job(two_classes, tmp_path, **several))
    _, errors = chief.communicate(timeout=60)
    assert f"Start it there: python -m {worker.__name__} {WORKER_IP}:7078" in errors


def test_an_output_directory_that_is_not_shared(
    two_classes: str, hosts: Hosts, tmp_path: pathlib.Path
) -> None:
    address = f"{WORKER_IP}:7079"
    several = {**SEVERAL, "workers": (address,)}
    hidden = 'mount -t tmpfs none "$1" && exec "$2" -u -m "$3" "$4"'
    command = ["ip", "netns", "exec", hosts.other, "unshare", "--mount", "sh", "-c", hidden, "sh"]
    command += [str(tmp_path), sys.executable, worker.__name__, address]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as daemon:
        try:
            assert daemon.stdout
            assert daemon.stdout.readline()
            job = _job(two_classes, tmp_path / "here", **several)
            chief = hosts.start_chief(job)
            _, errors = chief.communicate(timeout=60)
        finally:
            daemon.kill()
    assert f"The worker {address} does not see {job.logs}" in errors
