"""A run as a person follows it: one line a step on the terminal, everything else in a log file."""

import contextlib
import itertools
import logging
import os
import pathlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from absl import logging as absl_logging
from ml_metadata.proto.metadata_store_pb2 import Artifact, ConnectionConfig, Execution
from tfx.orchestration import metadata
from tfx.orchestration.portable import launcher

from pipeline_def import report

# What the components say of their progress, such as a line for each epoch.
_OWN_LOGGER = logging.getLogger("components")


@contextlib.contextmanager
def quiet(log: pathlib.Path) -> Iterator[TextIO]:
    """Sends what libraries print to a log file, for the time of a ``with`` block.

    Args:
        log: The file, made anew.

    Yields:
        The terminal.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    with log.open("w", encoding="utf-8") as file, os.fdopen(os.dup(1), "w") as terminal:
        saved = os.dup(1), os.dup(2)
        os.dup2(file.fileno(), 1)  # The descriptors, since TensorFlow's C++ and workers write too.
        os.dup2(file.fileno(), 2)
        _log_to(file, terminal)
        progress_bars = terminal if terminal.isatty() else sys.stderr
        try:
            with contextlib.redirect_stderr(progress_bars):
                yield terminal
        finally:
            logging.basicConfig(force=True)
            _OWN_LOGGER.handlers.clear()
            sys.stdout.flush()
            sys.stderr.flush()
            for source, target in zip(saved, (1, 2), strict=True):
                os.dup2(source, target)
                os.close(source)
            if not file.tell():  # Nothing was run, only compiled.
                log.unlink()


def _log_to(file: TextIO, terminal: TextIO) -> None:
    everything = logging.StreamHandler(file)
    everything.addFilter(_holds_no_password)
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(handlers=[everything], format=form, level=logging.INFO, force=True)
    absl_logging.set_verbosity(absl_logging.INFO)
    logging.captureWarnings(True)
    own = logging.StreamHandler(terminal)
    own.setFormatter(logging.Formatter("    %(message)s"))
    _OWN_LOGGER.addHandler(own)


def _holds_no_password(record: logging.LogRecord) -> bool:
    # Both runners log how they connect to ML Metadata, with the password.
    return not str(record.msg).startswith(("Using connection config", "Using deployment config"))


class Steps:
    """Prints a line as each step starts and ends.

    Attributes:
        failed: The step that failed, or None.
    """

    def __init__(self, terminal: TextIO, connection: ConnectionConfig) -> None:
        """Makes the lines of one run.

        Args:
            terminal: Where to print.
            connection: The run's ML Metadata store.
        """
        self.failed: str | None = None
        self._terminal = terminal
        self._connection = connection
        self._outputs: list[Artifact] = []

    @contextlib.contextmanager
    def followed(self) -> Iterator[None]:
        """Follows whatever either runner launches in a ``with`` block."""
        launch = launcher.Launcher.launch  # The one thing that both runners call for each step.

        def announced(step: launcher.Launcher) -> Any:
            return self._follow(step._pipeline_node.node_info.id, lambda: launch(step))

        launcher.Launcher.launch = announced
        try:
            yield
        finally:
            launcher.Launcher.launch = launch

    def outputs(self) -> dict[str, Artifact]:
        """Returns the newest artifact of each type that the run made or took from the cache."""
        return {artifact.type: artifact for artifact in self._outputs}

    def _follow(self, step: str, launch: Callable[[], Any]) -> Any:
        self._print(step, "running")
        start = time.monotonic()
        try:
            info = launch()
            state, outputs = self._result(info.execution_id)
            if state == Execution.FAILED:  # TFX would go on without the step's outputs.
                raise RuntimeError("TFX could not resolve its inputs.")
        except Exception as error:
            logging.getLogger(__name__).exception("%s failed", step)
            self._print(step, "failed", time.monotonic() - start, own_message(error))
            self.failed = step
            raise
        self._outputs += outputs
        word = "cached" if state == Execution.CACHED else "done"
        self._print(step, word, time.monotonic() - start, report.describe(outputs))
        return info

    def _result(self, execution_id: int) -> tuple[int, list[Artifact]]:
        with metadata.Metadata(self._connection) as connected:
            (execution,) = connected.store.get_executions_by_id([execution_id])
            outputs = report.outputs_of(connected.store, execution_id)
        return execution.last_known_state, outputs

    def _print(self, step: str, state: str, seconds: float | None = None, made: str = "") -> None:
        print(step_line(step, state, seconds, made), file=self._terminal, flush=True)


def step_line(step: str, state: str, seconds: float | None = None, made: str = "") -> str:
    """Tells how a step is doing.

    Args:
        step: Its name.
        state: A word.
        seconds: How long it took, once it has ended.
        made: What it made.

    Returns:
        A line, aligned with those of other steps.
    """
    time_taken = "" if seconds is None else f"{seconds:6.1f} s"
    return f"{step:<20} {state:<8} {time_taken:>8}  {made}".rstrip()


def own_message(error: BaseException) -> str:
    """Finds what a component itself said went wrong.

    Args:
        error: As a runner raises it; Beam's carry the text of a worker's whole traceback.

    Returns:
        The exception's type and message, without stack.
    """
    message = str(error).strip()
    _, traceback, stack = message.rpartition("Traceback (most recent call last):\n")
    if not traceback:
        return f"{type(error).__name__}: {message}"
    lines = stack.splitlines()
    return "\n".join(itertools.dropwhile(lambda line: not line or line[0] == " ", lines))
