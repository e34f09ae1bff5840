"""A real TensorBoard, queried over HTTP."""

import json
import logging
import pathlib
import time
import urllib.parse
import urllib.request
from typing import Any

from tensorboard import program

STARTUP_SECONDS = 120


class Projector:
    """The projector plugin of a TensorBoard that is running.

    Attributes:
        url: The address of TensorBoard.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def get(self, what: str, **query: str) -> bytes:
        """Returns the plugin's answer to a request as its page sends it."""
        url = f"{self.url}/data/plugin/projector/{what}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url) as response:
            return bytes(response.read())

    def json(self, what: str, **query: str) -> Any:
        return json.loads(self.get(what, **query))


class TensorBoard(Projector):
    """A TensorBoard that runs during a ``with`` block.

    It runs in a thread, since a new process would import TensorFlow again.
    """

    def __init__(self, logdir: pathlib.Path) -> None:
        self._logdir = logdir
        # Other libraries set INFO for all loggers, at which its data server logs every reload.
        logging.getLogger("tensorboard").setLevel(logging.WARNING)
        tensorboard = program.TensorBoard(server_class=self._make_server)
        options = ["--logdir", str(logdir), "--port", "0", "--reload_interval", "1"]
        tensorboard.configure(["tensorboard", "--host", "127.0.0.1", *options])
        super().__init__(tensorboard.launch())

    def _make_server(self, application: Any, flags: Any) -> program.WerkzeugServer:
        self._server = program.WerkzeugServer(application, flags)
        return self._server

    def __enter__(self) -> "TensorBoard":
        self.wait_for_runs(len({path.parent for path in self._logdir.rglob("*.tfevents.*")}))
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait_for_runs(self, count: int) -> list[str]:
        """Waits until `count` runs are listed, and returns them."""
        deadline = time.monotonic() + STARTUP_SECONDS
        while len(runs := self.json("runs")) != count:
            assert time.monotonic() < deadline, runs
            time.sleep(0.2)
        return list(runs)
