"""Sends and receives the messages of a training's hosts and processes: one JSON object per line."""

import contextlib
import json
import queue
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

Message = dict[str, Any]
# Messages, each with the name of its source.
Messages = queue.SimpleQueue[tuple[str, Message]]

# Most characters of a message; the longest message holds the names of all classes.
_LONGEST = 2**20
# A host that is gone is noticed in 20 s: after 5 + 3 * 5 s where nothing is sent, after 20,000 ms
# where what was sent is not acknowledged.
_LIFELINE = {
    "TCP_KEEPIDLE": 5,
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 20_000,
}


class Connection:
    """A TCP connection for messages, which notices when the other host is gone.

    Attributes:
        socket: The socket.
        lines: The lines that the other side sends.
    """

    def __init__(self, connected: socket.socket) -> None:
        self.socket = connected
        self.lines = connected.makefile(encoding="utf-8")
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _LIFELINE.items():
            if hasattr(socket, option):  # macOS lacks some.
                connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)

    def send(self, message: Message) -> None:
        """Sends a message."""
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> Message:
        """Returns the next message.

        Raises:
            OSError: The connection is closed or lost.
            ValueError: What was received is no JSON object.
        """
        line = self.lines.readline(_LONGEST)
        if not line.endswith("\n"):
            raise ConnectionError("the connection was closed")
        message = json.loads(line)
        if not isinstance(message, dict):
            raise ValueError(f"expected a JSON object, found {line!r:.80}")
        return message

    def close(self) -> None:
        """Closes the connection, and ends the wait of a thread that reads from it."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def child_messages(process: subprocess.Popen[str]) -> Iterator[Message]:
    """Yields what a child writes, and an error when it has ended: it should wait to be killed."""
    assert process.stdout
    with process.stdout as lines:
        for line in lines:
            if line.endswith("\n"):  # Else it was killed while it wrote.
                yield json.loads(line)
    code = process.wait()
    how = f"by {signal.Signals(-code).name}" if code < 0 else f"with the exit code {code}"
    # TensorFlow aborts a process whose cluster has failed.
    yield {"error": f"the training process was ended {how}", "victim": code == -signal.SIGABRT}


def connection_messages(connection: Connection) -> Iterator[Message]:
    """Yields what the other host sends, and an error when the connection ends."""
    with contextlib.suppress(OSError, ValueError):
        while True:
            yield connection.receive()
    yield {"error": "the connection was lost", "victim": False}


def gather(sources: dict[str, Iterator[Message]]) -> Messages:
    """Returns a queue of what several sources yield, each with the source's name."""
    messages: Messages = queue.SimpleQueue()

    def read(name: str, source: Iterator[Message]) -> None:
        for message in source:
            messages.put((name, message))

    for name, source in sources.items():
        threading.Thread(target=read, args=(name, source), daemon=True).start()
    return messages
