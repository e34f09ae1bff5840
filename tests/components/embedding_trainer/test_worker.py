import dataclasses
import importlib.metadata
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from components.embedding_trainer import cluster, worker
from components.embedding_trainer.cluster import train_on_hosts
from components.embedding_trainer.messages import Connection

from .acting_hosts import (
    children_of,
    engage,
    job_for,
    require_no_children,
    state,
    wait_for_answers,
    wait_until,
)

pytestmark = [
    pytest.mark.slow,
    # Most faults in this code leave a process that hangs.
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning"),
]


def test_the_identity_has_the_versions_that_are_installed() -> None:
    assert worker.identity()["tensorflow"] == importlib.metadata.version("tensorflow")


@pytest.mark.parametrize("argument", ["", "7077", "host2:", "host2:x"])
def test_the_worker_asks_for_an_address(argument: str) -> None:
    with pytest.raises(SystemExit, match="Usage"):
        worker.main([argument])


@pytest.mark.parametrize("argument", ["127.0.0.1:70000", "192.0.2.1:7077", "[::1]:7077"])
def test_an_address_that_the_worker_cannot_have_is_told(argument: str) -> None:
    with pytest.raises(SystemExit, match=f"Cannot listen on {re.escape(argument)}: "):
        worker.main([argument])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_worker_tells_where_it_is_and_ends_without_a_traceback(number: signal.Signals) -> None:
    address = f"localhost:{worker.free_port()}"
    command = [sys.executable, "-m", worker.__name__, address]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        found = address.replace("localhost", "127.0.0.1")
        assert process.stdout.readline() == (
            f"Waiting for a chief on {found}, which only this host reaches\n"
        )
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("name", ["code", "tensorflow"])
def test_another_version_is_refused_by_name(
    name: str, address: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = cluster._request(job_for(tmp_path, [address], "train", "join"))
    mine = request["identity"][name]
    monkeypatch.setitem(request["identity"], name, "another")
    refusal = f"{address} has {name} {mine} where the chief has another"
    with pytest.raises(RuntimeError, match=refusal):
        cluster._engage(address, request, time.monotonic())


def test_a_directory_that_the_worker_does_not_see_is_named(
    address: str, tmp_path: pathlib.Path
) -> None:
    job = job_for(tmp_path / "not shared", [address], "train", "join")
    with pytest.raises(RuntimeError, match=f"{address} does not see {tmp_path / 'not shared'}"):
        train_on_hosts(job)


def test_what_is_no_job_is_not_done_and_the_worker_stays(
    address: str, tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    host, _, port = address.partition(":")
    request = cluster._request(job_for(tmp_path, [address], "train", "join"))
    request["job"]["module"] = "os"
    requests = [b"GET / HTTP/1.1", b"\xff", b"[]", b"{}", b"[" * 10**5, b"[" * 2**20]
    for line in [*requests, json.dumps(request).encode()]:
        with socket.create_connection((host, int(port))) as connected:
            connected.sendall(line if len(line) == 2**20 else line + b"\n")
            assert b"port" not in connected.makefile("rb").readline()
    assert not list(tmp_path.iterdir())
    with socket.create_connection((host, int(port))):  # A connection that sends no request.
        assert train_on_hosts(job_for(tmp_path, [address], "train", "join"))
    wait_for_answers()
    assert "Traceback" not in capfd.readouterr().err


def test_the_child_of_a_chief_that_is_gone_is_killed_even_if_it_is_stopped(
    address: str, tmp_path: pathlib.Path
) -> None:
    connection = engage(address, job_for(tmp_path, [address], "train", "stop"))
    connection.send({"cluster": ["127.0.0.1:1", "127.0.0.1:2"], "index": 1})
    wait_until(lambda: [state(pid) for pid in children_of(tmp_path)] == ["T"])
    connection.close()
    require_no_children(tmp_path)


def test_a_second_chief_is_told_that_the_worker_is_busy(
    address: str, tmp_path: pathlib.Path
) -> None:
    job = job_for(tmp_path, [address], "train", "join")
    first = engage(address, job)
    host, _, port = address.partition(":")
    second = Connection(socket.create_connection((host, int(port))))
    second.send(cluster._request(job))
    assert "another chief" in second.receive()["busy"]
    second.close()
    first.close()
    wait_for_answers()
    assert train_on_hosts(job)


def test_an_object_store_is_not_looked_for_on_the_worker(
    address: str, tmp_path: pathlib.Path
) -> None:
    job = dataclasses.replace(job_for(tmp_path, [address], "train", "join"), logs="gs://bucket/a")
    engage(address, job).close()
    wait_for_answers()
