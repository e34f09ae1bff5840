"""Times each step of a TFX pipeline, including its driver and publisher."""

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from tfx.orchestration.portable import launcher


@contextlib.contextmanager
def told() -> Iterator[dict[str, float]]:
    """Prints the duration of each step that ends in a ``with`` block, as ``make run`` does.

    Yields:
        The seconds of each step that has ended, by its name.
    """
    launch = launcher.Launcher.launch
    seconds: dict[str, float] = {}

    def timed(step: launcher.Launcher) -> Any:
        start = time.monotonic()
        result = launch(step)
        name = step._pipeline_node.node_info.id
        seconds[name] = time.monotonic() - start
        print(f"{name} done {seconds[name]:.2f} s", flush=True)
        return result

    launcher.Launcher.launch = timed
    try:
        yield seconds
    finally:
        launcher.Launcher.launch = launch
