"""Tests a worker by itself; test_cluster.py tests it with a chief."""

import importlib.metadata
import re
import signal
import subprocess
import sys

import pytest

from components.embedding_trainer import worker


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
