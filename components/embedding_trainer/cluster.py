"""Trains on several hosts: on this one, the chief, and on each that runs `worker`."""

import contextlib
import dataclasses
import ipaddress
import logging
import queue
import re
import socket
import time

from components.embedding_trainer import worker
from components.embedding_trainer.job import Job, Properties
from components.embedding_trainer.messages import (
    Connection,
    Message,
    Messages,
    child_messages,
    connection_messages,
    gather,
)
from components.embedding_trainer.worker import Place

_LOGGER = logging.getLogger(__name__)

# Timeouts in seconds: for a worker to answer; for the chief's child to log its first line, after it
# has imported TensorFlow and joined the cluster; and for the host that failed to report it, after
# another host has reported an error that follows from it.
_ANSWER = 30
_JOIN = 300
_CAUSE = 5

_CHIEF = "this host"


def train_on_hosts(job: Job) -> Properties:
    """Trains a model on this host and the workers of the job's options.

    Args:
        job: What to train.

    Returns:
        See `trainer.train_model`.

    Raises:
        RuntimeError: A host cannot be used or failed; the message names it.
    """
    request = _request(job)
    deadline = time.monotonic() + _ANSWER
    with contextlib.ExitStack() as stack:
        workers, hosts, cluster = {}, {}, []
        for address in job.options.workers:
            workers[address], port = _engage(address, request, deadline)
            stack.callback(workers[address].close)
            try:
                hosts[address] = workers[address].socket.getpeername()[0]
            except OSError as error:
                raise RuntimeError(f"{address}: the connection was lost: {error}") from error
            cluster.append(f"{hosts[address]}:{port}")
        _require_reachable(hosts)
        own, _ = workers[job.options.workers[0]].socket.getsockname()
        cluster.insert(0, f"{own}:{worker.free_port()}")
        for index, connection in enumerate(workers.values(), start=1):
            with contextlib.suppress(OSError):  # `connection_messages` reports a lost connection.
                connection.send(dataclasses.asdict(Place(cluster, index)))
        process = stack.enter_context(worker.training_child(job, Place(cluster, 0)))
        sources = {_CHIEF: child_messages(process)}
        for address, connection in workers.items():
            sources[address] = connection_messages(connection)
        return _follow(gather(sources), list(sources))


def _request(job: Job) -> Message:
    return {"identity": worker.identity(), "job": dataclasses.asdict(job)}


def _engage(address: str, request: Message, deadline: float) -> tuple[Connection, int]:
    """Returns a worker's connection, and its port for TensorFlow."""
    while True:
        answer, connection = _ask(address, request, max(deadline - time.monotonic(), 1))
        if connection and "port" in answer:
            connection.socket.settimeout(None)
            return connection, answer["port"]
        if connection:
            connection.close()
        if "refused" in answer or time.monotonic() > deadline:
            raise RuntimeError(f"The worker {address} {' '.join(answer.values())}.")
        # A worker whose last chief vanished is busy until it notices, within 20 s.
        time.sleep(0.5)


def _ask(address: str, request: Message, seconds: float) -> tuple[Message, Connection | None]:
    host, _, port = address.rpartition(":")
    connection = None
    try:
        connection = Connection(socket.create_connection((host, int(port)), seconds))
        connection.send(request)
        return connection.receive(), connection
    except (OSError, ValueError) as error:
        command = f"python -m {worker.__name__} {address}"
        return {"missing": f"does not answer: {error}. Start it there: {command}"}, connection


def _require_reachable(workers: dict[str, str]) -> None:
    """Refuses a loopback address beside others: other hosts would look for it on themselves."""
    local = {
        address: found
        for address, found in workers.items()
        if ipaddress.ip_address(found).is_loopback
    }
    if 0 < len(local) < len(workers):
        address, found = local.popitem()
        raise RuntimeError(
            f"The worker {address} is at {found}, where only this host reaches it, and there are "
            "workers on other hosts. Start it at an address that they reach."
        )


def _follow(messages: Messages, hosts: list[str]) -> Properties:
    """Logs what the chief's child logs, and returns the properties that it ends with."""
    errors: dict[str, str] = {}
    deadline: float | None = time.monotonic() + _JOIN
    while True:
        try:
            left = deadline and max(deadline - time.monotonic(), 0)
            host, message = messages.get(timeout=left)
        except queue.Empty:
            raise RuntimeError(_blame(errors, hosts)) from None
        if "properties" in message:
            properties: Properties = message["properties"]
            return properties
        if "log" in message:
            _LOGGER.log(message["level"], message["log"])
            deadline = deadline if errors else None
        elif not message["victim"]:
            raise RuntimeError(f"{host}: {message['error']}")
        else:
            errors[host] = message["error"]
            deadline = deadline if len(errors) > 1 else time.monotonic() + _CAUSE


def _blame(errors: dict[str, str], hosts: list[str]) -> str:
    """Returns a sentence about which host failed, given the errors of its victims."""
    if not errors:
        return (
            f"The hosts did not join each other within {_JOIN} s: {', '.join(hosts)}. TensorFlow "
            "takes any free port of each; check that no firewall is between them."
        )
    for error in errors.values():
        if found := re.search(r"task:(\d+) heartbeat timeout", error):
            return f"{hosts[int(found[1])]}: stopped answering"
    silent = [host for host in hosts if host not in errors]
    return f"{' and '.join(silent or hosts)}: stopped answering"
