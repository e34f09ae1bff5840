"""Runs a chief and its workers in one process; their children do not import TensorFlow."""

import json
import logging
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from typing import Any
from unittest import mock

import pydantic
import pytest

from components.embedding_trainer import cluster, worker
from components.embedding_trainer.cluster import train_on_hosts
from components.embedding_trainer.job import Job
from components.embedding_trainer.messages import Connection

from .acting_hosts import (
    children_of,
    engage,
    job_for,
    require_no_children,
    serve,
    wait_for_answers,
    wait_until,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("acting_children"),
    # Most faults in this code leave a process that hangs.
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning"),
]

# The script of a chief that runs in another process.
CHIEF = """
import sys
import pydantic
from components.embedding_trainer import worker
from components.embedding_trainer.cluster import train_on_hosts
from components.embedding_trainer.job import Job
from tests.components.embedding_trainer import acting_child
worker.child = acting_child
train_on_hosts(pydantic.TypeAdapter(Job).validate_json(sys.argv[1]))
"""


@pytest.fixture
def other() -> Iterator[str]:
    """Starts another worker and yields its address."""
    with serve() as address:
        yield address


def _free_address() -> str:
    return f"127.0.0.1:{worker.free_port()}"


def test_what_the_chief_logs_and_records_comes_back(
    address: str, other: str, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "components")
    job = job_for(tmp_path, [address, other], "train", "join", "join")
    properties = train_on_hosts(job)
    place = json.loads(str(properties.pop("cluster")))
    assert properties == {"epochs_run": 1, "accuracy": 0.5}
    assert place["task"] == {"type": "worker", "index": 0}
    ports = [host.removeprefix("127.0.0.1:") for host in place["cluster"]["worker"]]
    assert len(set(ports)) == 3
    assert not {address.partition(":")[2], other.partition(":")[2]} & set(ports)
    assert caplog.messages == ["Epoch 1/1"]
    assert "TF_CONFIG" not in os.environ
    require_no_children(tmp_path)


@pytest.mark.parametrize(
    ("acts", "culprit"),
    [
        (("join", "die", "join"), "{0}: the training process was ended by SIGKILL"),
        (("die", "join", "join"), "this host: the training process was ended by SIGKILL"),
        (("suffer", "suffer", "die"), "{1}: the training process was ended by SIGKILL"),
        (("suffer", "fail here", "suffer"), "{0}: ValueError: fail here"),
        (("suffer task:2 heartbeat timeout", "join", "join"), "{1}: stopped answering"),
        (("suffer", "abort", "join"), "{1}: stopped answering"),
        (("join", "suffer", "suffer"), "this host: stopped answering"),
    ],
)
def test_the_host_that_failed_is_named_and_not_its_victims(
    acts: tuple[str, ...],
    culprit: str,
    address: str,
    other: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cluster, "_CAUSE", 1)
    with pytest.raises(RuntimeError) as failure:
        train_on_hosts(job_for(tmp_path, [address, other], *acts))
    assert str(failure.value) == culprit.format(address, other)
    require_no_children(tmp_path)
    assert train_on_hosts(job_for(tmp_path, [address, other], "train", "join", "join"))


def test_hosts_that_do_not_join_each_other_are_not_waited_for_without_end(
    address: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_JOIN", 1)
    with pytest.raises(RuntimeError, match=r"did not join each other within 1 s: this host, 127"):
        train_on_hosts(job_for(tmp_path, [address], "wait", "wait"))
    require_no_children(tmp_path)


def test_a_missing_worker_is_a_sentence_with_the_command_to_start_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_ANSWER", 1)
    address = _free_address()
    with pytest.raises(RuntimeError) as failure:
        train_on_hosts(job_for(tmp_path, [address], "train", "join"))
    assert str(failure.value) == (
        f"The worker {address} does not answer: [Errno 111] Connection refused. "
        f"Start it there: python -m components.embedding_trainer.worker {address}."
    )


def test_a_worker_that_starts_a_little_later_is_waited_for(tmp_path: pathlib.Path) -> None:
    address = _free_address()
    with futures.ThreadPoolExecutor() as pool:
        training = pool.submit(train_on_hosts, job_for(tmp_path, [address], "train", "join"))
        time.sleep(1)
        with serve(int(address.rpartition(":")[2])):
            assert training.result()["epochs_run"] == 1


def test_a_worker_that_hangs_is_a_missing_one(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_ANSWER", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(RuntimeError, match=f"{address} does not answer: timed out. Start it"):
            train_on_hosts(job_for(tmp_path, [address], "train", "join"))


def test_a_second_chief_waits_for_the_first_and_not_without_end(
    address: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_ANSWER", 1)
    job = job_for(tmp_path, [address], "train", "join")
    first = engage(address, job)
    with pytest.raises(RuntimeError, match=f"The worker {address} trains for another chief"):
        train_on_hosts(job)
    monkeypatch.setattr(cluster, "_ANSWER", 30)
    threading.Timer(1, first.close).start()
    assert train_on_hosts(job)["epochs_run"] == 1


def test_a_worker_by_two_names_is_busy_with_this_chief(
    address: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_ANSWER", 1)
    again = address.replace("127.0.0.1", "localhost")
    with pytest.raises(RuntimeError, match=f"The worker {again} .*, or is listed twice"):
        train_on_hosts(job_for(tmp_path, [address, again], "train", "join", "join"))
    wait_for_answers()


def test_a_worker_that_other_workers_do_not_reach_is_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def engage(address: str, *_: object) -> tuple[Connection, int]:
        connection = mock.Mock()
        connection.socket.getpeername.return_value = address.split(":")
        return connection, 1

    monkeypatch.setattr(cluster, "_engage", engage)
    with pytest.raises(
        RuntimeError, match=r"127\.0\.1\.1:7077 is at 127\.0\.1\.1, where only this host reaches"
    ):
        train_on_hosts(
            job_for(tmp_path, ["10.0.0.1:7077", "127.0.1.1:7077"], "join", "join", "join")
        )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_chief_that_a_signal_ends_leaves_no_child_and_a_free_worker(
    number: signal.Signals, address: str, tmp_path: pathlib.Path
) -> None:
    job = pydantic.TypeAdapter(Job).dump_json(job_for(tmp_path, [address], "join", "join")).decode()
    command = [sys.executable, "-c", CHIEF, job]
    with subprocess.Popen(
        command, start_new_session=True, stderr=subprocess.PIPE, text=True
    ) as chief:
        wait_until(lambda: len(children_of(tmp_path)) == 2)
        os.killpg(chief.pid, number)  # A terminal sends Ctrl-C to the whole process group.
        _, errors = chief.communicate(timeout=30)
    assert errors.count("Traceback") == (number == signal.SIGINT), errors
    require_no_children(tmp_path)
    assert train_on_hosts(job_for(tmp_path, [address], "train", "join"))


def _is_connected(connection: Connection) -> bool:
    try:
        connection.socket.getpeername()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("closed", [False, True])
def test_a_worker_that_is_lost_before_it_starts_its_child_is_named(
    closed: bool, address: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engage = cluster._engage

    def engage_and_lose(*arguments: Any) -> tuple[Connection, int]:
        connection, port = engage(*arguments)
        connection.socket.shutdown(socket.SHUT_RDWR)
        if closed:
            wait_until(lambda: not _is_connected(connection))
        return connection, port

    monkeypatch.setattr(cluster, "_engage", engage_and_lose)
    with pytest.raises(RuntimeError, match=f"{address}: the connection was lost"):
        train_on_hosts(job_for(tmp_path, [address], "join", "join"))
    wait_for_answers()
