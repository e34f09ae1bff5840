"""A real TensorBoard, asked over HTTP."""

import json
import pathlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

STARTUP_SECONDS = 120


class Projector:
    """The projector plugin of a TensorBoard that is running.

    Attributes:
        url: Where it listens.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, what: str, **query: str) -> bytes:
        """Asks the plugin, as its page does."""
        url = f"{self.url}/data/plugin/projector/{what}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url) as response:
            return bytes(response.read())

    def json(self, what: str, **query: str) -> Any:
        return json.loads(self.get(what, **query))


class TensorBoard(Projector):
    """A TensorBoard server for the time of a ``with`` block."""

    def __init__(self, logdir: pathlib.Path) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        super().__init__(f"http://127.0.0.1:{port}")
        options = ["--logdir", str(logdir), "--port", str(port), "--reload_interval", "1"]
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tensorboard.main", *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> "TensorBoard":
        deadline = time.monotonic() + STARTUP_SECONDS
        while True:
            try:
                self.json("runs")
                return self
            except urllib.error.URLError:
                if time.monotonic() > deadline or self._server.poll() is not None:
                    self.__exit__()
                    raise
                time.sleep(0.2)

    def __exit__(self, *_: object) -> None:
        self._server.terminate()
        self._server.wait()

    def wait_for_runs(self, count: int) -> list[str]:
        """Waits until so many runs are listed, and returns them."""
        deadline = time.monotonic() + STARTUP_SECONDS
        while len(runs := self.json("runs")) != count:
            assert time.monotonic() < deadline, runs
            time.sleep(0.2)
        return list(runs)
