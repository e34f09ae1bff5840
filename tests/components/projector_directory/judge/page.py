"""Opens projector directories with TensorBoard's own code, without a browser."""

import base64
import json
import os
import pathlib
import subprocess
import threading
import types
from typing import Any

import playwright
import tensorboard
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin
from werkzeug.test import Client

NODE = pathlib.Path(playwright.__file__).parent / "driver" / "node"
_PLUGIN = pathlib.Path(tensorboard.__file__).parent / "plugins" / "projector"
_BUNDLE = _PLUGIN / "tf_projector_plugin" / "projector_binary.js"
# An endless loop of the page usually fills the memory, and meets this limit before the time limit.
_LITTLE_MEMORY = "--max-old-space-size=300"
_SECONDS = 60
_PREFIX = "/data/plugin/projector"


class Page:
    """The projector's page, in a Node process that runs during a ``with`` block."""

    def __enter__(self) -> "Page":
        self._node = subprocess.Popen(
            [NODE, _LITTLE_MEMORY, pathlib.Path(__file__).with_suffix(".js"), _BUNDLE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._node.communicate()

    def show(self, directory: pathlib.Path) -> dict[str, Any]:
        """Opens a directory, shows each tensor and clicks each bookmark.

        Returns:
            What the page shows; `show` in page.js describes it.
        """
        server = _Server(directory)
        patience = threading.Timer(_SECONDS, self._node.kill)
        patience.start()
        try:
            self._write({"show": str(directory)})
            while "get" in (line := self._read()):
                self._write(server.answer(line["get"]))
            return line
        except (BrokenPipeError, json.JSONDecodeError):  # Node was killed or ran out of memory.
            self.__exit__()
            self.__enter__()
            return {"errors": ["the page never ends"]}
        finally:
            patience.cancel()

    def _write(self, value: object) -> None:
        assert self._node.stdin
        self._node.stdin.write(json.dumps(value) + "\n")
        self._node.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self._node.stdout
        answer: dict[str, Any] = json.loads(self._node.stdout.readline())
        return answer


class _Server:
    """The server side of TensorBoard's projector plugin, for one directory."""

    def __init__(self, directory: pathlib.Path) -> None:
        runs = [
            types.SimpleNamespace(run_name=os.path.relpath(folder, directory))
            for folder, _, files in os.walk(directory)
            if any("tfevents" in file for file in files)
        ]
        provider = types.SimpleNamespace(list_runs=lambda *_, **__: runs)
        plugin = ProjectorPlugin(TBContext(logdir=str(directory), data_provider=provider))
        self._clients = {route: Client(app) for route, app in plugin.get_plugin_apps().items()}

    def answer(self, address: str) -> dict[str, Any]:
        route, _, query = address.removeprefix(_PREFIX).partition("?")
        try:
            response = self._clients[route].get(route, query_string=query)
            status, body = response.status_code, response.data
        except Exception as error:  # TensorBoard would answer with an internal error.
            status, body = 500, str(error).encode()
        return {"status": status, "body": base64.b64encode(body).decode()}
