"""Trains for a chief on another host: ``python -m components.embedding_trainer.worker HOST:PORT``.

::

    chief                                   worker
      {identity, job}              ──────▶    the same code and versions? are the files seen?
                                   ◀──────  {port} for TensorFlow, {refused} or {busy}
      {cluster, index}             ──────▶    starts a child, which trains
                                   ◀──────  {error, victim} if the child fails
      closes the connection        ──────▶    kills the child

Messages are JSON objects over TCP, one per line. A side that loses the connection kills its child.
Nobody is authenticated and nothing is encrypted, so the network must be trusted; a chief can only
send a `Job`, which names directories but no code. The worker does not load TensorFlow, so that it
survives a crash of the training.
"""

import contextlib
import importlib.metadata
import ipaddress
import json
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pydantic
from pydantic.dataclasses import dataclass

from components.code_digest import source_digest
from components.embedding_trainer import child
from components.embedding_trainer.job import Job
from components.embedding_trainer.messages import (
    Connection,
    child_messages,
    connection_messages,
    gather,
)

_PACKAGES = ("tensorflow", "keras", "tensorflow-transform", "numpy", "scipy", "scikit-learn")


@dataclass(frozen=True, config=pydantic.ConfigDict(extra="forbid"))
class Place:
    """A host's place in TensorFlow's cluster.

    Attributes:
        cluster: HOST:PORT of each host; the chief's first.
        index: Position of this host in `cluster`.
    """

    cluster: list[str]
    index: int


def identity() -> dict[str, str]:
    """Returns what must be equal on all hosts: the code's digest and package versions, by name."""
    versions = {package: importlib.metadata.version(package) for package in _PACKAGES}
    code = source_digest("components.embedding_trainer.executor")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"code": code, "python": python, **versions}


def free_port() -> int:
    """Returns a port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("", 0))
        port: int = free.getsockname()[1]
        return port


@contextlib.contextmanager
def training_child(job: Job, place: Place) -> Iterator[subprocess.Popen[str]]:
    """Trains in a child process, which is killed at the end of the ``with`` block.

    SIGTERM would not end a process that waits for its cluster.

    Args:
        job: What to train.
        place: This host's place in the cluster.

    Yields:
        The process; see `child` for what it writes.
    """
    task = {"type": "worker", "index": place.index}
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "TF_CONFIG": json.dumps({"cluster": {"worker": place.cluster}, "task": task}),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", child.__name__],
        env=environment,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C reaches the parent alone, which ends the child.
    )
    assert process.stdin
    try:
        process.stdin.write(pydantic.TypeAdapter(Job).dump_json(job).decode() + "\n")
        process.stdin.flush()
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()


def serve(connection: Connection, training: threading.Lock) -> None:
    """Answers a chief, and trains for it until it closes the connection.

    Args:
        connection: The connection to the chief.
        training: Held while a training runs here.

    Raises:
        OSError: The connection is lost.
        ValueError: The chief sent something else than a request.
    """
    request = connection.receive()
    if reason := _differences(request.get("identity")):
        connection.send({"refused": reason})
        return
    job = pydantic.TypeAdapter(Job).validate_python(request.get("job"))
    if unseen := _unseen(job):
        connection.send({"refused": f"does not see {', '.join(unseen)}"})
        return
    if not training.acquire(blocking=False):
        connection.send({"busy": "trains for another chief, or is listed twice"})
        return
    try:
        connection.send({"port": free_port()})
        place = pydantic.TypeAdapter(Place).validate_python(connection.receive())
        with training_child(job, place) as process:
            _follow(process, connection)
    finally:
        training.release()


def _follow(process: subprocess.Popen[str], connection: Connection) -> None:
    """Sends errors of the child to the chief, until the chief closes the connection."""
    sources = {"child": child_messages(process), "chief": connection_messages(connection)}
    messages = gather(sources)
    while True:
        name, message = messages.get()
        if name == "chief":
            return
        if "error" in message:
            print(message["error"], file=sys.stderr, flush=True)
            connection.send(message)


def _differences(theirs: Any) -> str:
    if not isinstance(theirs, dict):
        return "expected an identity"
    return ", ".join(
        f"has {name} {mine} where the chief has {theirs.get(name)}"
        for name, mine in identity().items()
        if mine != theirs.get(name)
    )


def _unseen(job: Job) -> list[str]:
    directories = [*job.examples, job.transform_graph, job.logs]
    return [
        directory
        for directory in directories
        if directory and "://" not in directory and not os.path.isdir(directory)
    ]


class Server(socketserver.ThreadingTCPServer):
    """Listens for chiefs, and answers each in a thread of its own."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, address: tuple[str, int]) -> None:
        self.training = threading.Lock()
        super().__init__(address, _Handler)


class _Handler(socketserver.BaseRequestHandler):
    server: Server

    def handle(self) -> None:
        connection = Connection(self.request)
        try:
            serve(connection, self.server.training)
        except (OSError, RecursionError, ValueError) as error:
            print(f"{self.client_address[0]}: {error}", file=sys.stderr, flush=True)
        finally:
            connection.close()


def main(arguments: Sequence[str]) -> None:
    """Waits for chiefs until Ctrl-C or SIGTERM.

    Args:
        arguments: HOST:PORT to listen on.

    Raises:
        SystemExit: The argument is something else, or nobody can listen there.
    """
    address = "".join(arguments)
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        sys.exit("Usage: python -m components.embedding_trainer.worker HOST:PORT")
    try:
        server = Server((host, int(port)))
    except (OSError, OverflowError) as error:
        sys.exit(f"Cannot listen on {address}: {error}")
    # Without a handler SIGTERM does not end the first process of a container.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with server, contextlib.suppress(KeyboardInterrupt):
        own = str(server.server_address[0])
        # Debian's /etc/hosts gives a host's own name the address 127.0.1.1.
        reach = ", which only this host reaches" if ipaddress.ip_address(own).is_loopback else ""
        print(f"Waiting for a chief on {own}:{port}{reach}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
