"""Runs a chief and its workers in one process; their children do not import TensorFlow."""

import contextlib
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
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any
from unittest import mock

import pydantic
import pytest

from components.embedding_trainer import cluster, worker
from components.embedding_trainer.cluster import train_on_hosts
from components.embedding_trainer.job import Job
from components.embedding_trainer.messages import Connection
from components.embedding_trainer.options import TrainingOptions

from . import acting_child

pytestmark = [
    pytest.mark.slow,
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


@pytest.fixture(autouse=True)
def children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "child", acting_child)


@contextlib.contextmanager
def _worker(port: int = 0) -> Iterator[str]:
    with worker.Server(("127.0.0.1", port)) as server:
        server.daemon_threads = False  # Then the server waits for them, and the test sees all logs.
        threading.Thread(target=server.serve_forever).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def address() -> Iterator[str]:
    """Starts a worker and yields its address."""
    with _worker() as address:
        yield address


@pytest.fixture
def other() -> Iterator[str]:
    """Starts another worker and yields its address."""
    with _worker() as address:
        yield address


def _job(directory: pathlib.Path, workers: list[str], *acts: str) -> Job:
    """Returns a job that tells each host's `acting_child` what to do, the chief's first."""
    return Job(
        examples=[str(directory)],
        transform_graph=str(directory),
        class_names=[],
        text_feature=json.dumps(acts),
        options=TrainingOptions(strategy="multi_worker_mirrored", workers=tuple(workers)),
        model=str(directory / "model"),
        logs=str(directory),
    )


def _state(pid: int) -> str:
    """Returns the state letter of a process from /proc; 'Z' if it has ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # The latter if it ends during the read.
        return "Z"


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _wait_for_answers() -> None:
    """Waits until no worker answers a connection, so that the test sees all that they print."""
    threads = threading.enumerate
    _wait_until(lambda: not any("process_request" in thread.name for thread in threads()))


def _children(directory: pathlib.Path) -> list[int]:
    """Returns the process ids of the children that have started."""
    return [int(text) for path in directory.glob("*.pid") if (text := path.read_text())]


def _require_no_children(directory: pathlib.Path) -> None:
    pids = _children(directory)
    assert pids
    _wait_until(lambda: all(_state(pid) == "Z" for pid in pids))


def _free_address() -> str:
    return f"127.0.0.1:{worker.free_port()}"


def test_what_the_chief_logs_and_records_comes_back(
    address: str, other: str, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "components")
    job = _job(tmp_path, [address, other], "train", "join", "join")
    properties = train_on_hosts(job)
    place = json.loads(str(properties.pop("cluster")))
    assert properties == {"epochs_run": 1, "accuracy": 0.5}
    assert place["task"] == {"type": "worker", "index": 0}
    ports = [host.removeprefix("127.0.0.1:") for host in place["cluster"]["worker"]]
    assert len(set(ports)) == 3
    assert not {address.partition(":")[2], other.partition(":")[2]} & set(ports)
    assert caplog.messages == ["Epoch 1/1"]
    assert "TF_CONFIG" not in os.environ
    _require_no_children(tmp_path)


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
        train_on_hosts(_job(tmp_path, [address, other], *acts))
    assert str(failure.value) == culprit.format(address, other)
    _require_no_children(tmp_path)
    assert train_on_hosts(_job(tmp_path, [address, other], "train", "join", "join"))


def test_hosts_that_do_not_join_each_other_are_not_waited_for_without_end(
    address: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_JOIN", 1)
    with pytest.raises(RuntimeError, match=r"did not join each other within 1 s: this host, 127"):
        train_on_hosts(_job(tmp_path, [address], "wait", "wait"))
    _require_no_children(tmp_path)


def test_a_missing_worker_is_a_sentence_with_the_command_to_start_it(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_ANSWER", 1)
    address = _free_address()
    with pytest.raises(RuntimeError) as failure:
        train_on_hosts(_job(tmp_path, [address], "train", "join"))
    assert str(failure.value) == (
        f"The worker {address} does not answer: [Errno 111] Connection refused. "
        f"Start it there: python -m components.embedding_trainer.worker {address}."
    )


def test_a_worker_that_starts_a_little_later_is_waited_for(tmp_path: pathlib.Path) -> None:
    address = _free_address()
    with futures.ThreadPoolExecutor() as pool:
        training = pool.submit(train_on_hosts, _job(tmp_path, [address], "train", "join"))
        time.sleep(1)
        with _worker(int(address.rpartition(":")[2])):
            assert training.result()["epochs_run"] == 1


def test_a_worker_that_hangs_is_a_missing_one(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_ANSWER", 1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(RuntimeError, match=f"{address} does not answer: timed out. Start it"):
            train_on_hosts(_job(tmp_path, [address], "train", "join"))


def test_a_second_chief_waits_for_the_first_and_not_without_end(
    address: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_ANSWER", 1)
    job = _job(tmp_path, [address], "train", "join")
    first = _request(address, job)
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
        train_on_hosts(_job(tmp_path, [address, again], "train", "join", "join"))


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
        train_on_hosts(_job(tmp_path, ["10.0.0.1:7077", "127.0.1.1:7077"], "join", "join", "join"))


def _request(address: str, job: Job) -> Connection:
    """Connects to a worker as a chief does, up to where it would start its child."""
    connection, port = cluster._engage(address, cluster._request(job), time.monotonic() + 10)
    assert port
    return connection


def test_the_child_of_a_chief_that_is_gone_is_killed_even_if_it_is_stopped(
    address: str, tmp_path: pathlib.Path
) -> None:
    connection = _request(address, _job(tmp_path, [address], "train", "stop"))
    connection.send({"cluster": ["127.0.0.1:1", "127.0.0.1:2"], "index": 1})
    _wait_until(lambda: [_state(pid) for pid in _children(tmp_path)] == ["T"])
    connection.close()
    _require_no_children(tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_chief_that_a_signal_ends_leaves_no_child_and_a_free_worker(
    number: signal.Signals, address: str, tmp_path: pathlib.Path
) -> None:
    job = pydantic.TypeAdapter(Job).dump_json(_job(tmp_path, [address], "join", "join")).decode()
    command = [sys.executable, "-c", CHIEF, job]
    with subprocess.Popen(
        command, start_new_session=True, stderr=subprocess.PIPE, text=True
    ) as chief:
        _wait_until(lambda: len(_children(tmp_path)) == 2)
        os.killpg(chief.pid, number)  # A terminal sends Ctrl-C to the whole process group.
        _, errors = chief.communicate(timeout=30)
    assert errors.count("Traceback") == (number == signal.SIGINT), errors
    _require_no_children(tmp_path)
    assert train_on_hosts(_job(tmp_path, [address], "train", "join"))


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
            _wait_until(lambda: not _is_connected(connection))
        return connection, port

    monkeypatch.setattr(cluster, "_engage", engage_and_lose)
    with pytest.raises(RuntimeError, match=f"{address}: the connection was lost"):
        train_on_hosts(_job(tmp_path, [address], "join", "join"))


@pytest.mark.parametrize("name", ["code", "tensorflow"])
def test_another_version_is_refused_by_name(
    name: str, address: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = cluster._request(_job(tmp_path, [address], "train", "join"))
    mine = request["identity"][name]
    monkeypatch.setitem(request["identity"], name, "another")
    refusal = f"{address} has {name} {mine} where the chief has another"
    with pytest.raises(RuntimeError, match=refusal):
        cluster._engage(address, request, time.monotonic())


def test_a_directory_that_the_worker_does_not_see_is_named(
    address: str, tmp_path: pathlib.Path
) -> None:
    job = _job(tmp_path / "not shared", [address], "train", "join")
    with pytest.raises(RuntimeError, match=f"{address} does not see {tmp_path / 'not shared'}"):
        train_on_hosts(job)


def test_what_is_no_job_is_not_done_and_the_worker_stays(
    address: str, tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    host, _, port = address.partition(":")
    request = cluster._request(_job(tmp_path, [address], "train", "join"))
    request["job"]["module"] = "os"
    requests = [b"GET / HTTP/1.1", b"\xff", b"[]", b"{}", b"[" * 10**5, b"[" * 2**20]
    for line in [*requests, json.dumps(request).encode()]:
        with socket.create_connection((host, int(port))) as connected:
            connected.sendall(line if len(line) == 2**20 else line + b"\n")
            assert b"port" not in connected.makefile("rb").readline()
    assert not list(tmp_path.iterdir())
    with socket.create_connection((host, int(port))):  # A connection that sends no request.
        assert train_on_hosts(_job(tmp_path, [address], "train", "join"))
    _wait_for_answers()
    assert "Traceback" not in capfd.readouterr().err
