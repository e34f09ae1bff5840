"""What a run prints: one line a step on the terminal, everything else into a log file."""

import contextlib
import io
import itertools
import logging
import os
import pathlib
import re
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from absl import logging as absl_logging
from ml_metadata.proto.metadata_store_pb2 import Artifact, ConnectionConfig, Execution
from tfx.orchestration import metadata
from tfx.orchestration.portable import launcher

from pipeline_def import report

# The components log their progress, such as a line for each epoch.
_OWN_LOGGER = logging.getLogger("components")
_FULL_DISK = re.compile("No space left on device|disk is full|Disk quota exceeded")


@contextlib.contextmanager
def quiet(log: pathlib.Path) -> Iterator[TextIO]:
    """Redirects stdout, stderr and the logs of libraries to a file, for a ``with`` block.

    Args:
        log: The file; an older one is overwritten.

    Yields:
        The terminal: what stdout was before.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        # Unbuffered, so that a process that is killed has written its whole log, and closing the
        # file does not fail on a full disk.
        open(log, "wb", buffering=0) as raw,
        io.TextIOWrapper(raw, encoding="utf-8", write_through=True) as file,
        _Terminal(os.dup(1), "w") as stdout,
        io.TextIOWrapper(stdout, errors="replace", write_through=True) as terminal,
    ):
        progress_bars = terminal if terminal.isatty() else sys.stderr
        try:
            with _descriptors_to(file), contextlib.redirect_stderr(progress_bars):
                _log_to(file, terminal)
                yield terminal
        finally:
            logging.basicConfig(handlers=[], force=True)
            logging.captureWarnings(False)
            logging.raiseExceptions = True
            _OWN_LOGGER.handlers.clear()


class _Terminal(io.FileIO):
    """Ignores failed writes, so that a pipe without a reader does not end a run."""

    def write(self, content: Any) -> int:
        with contextlib.suppress(OSError):
            return super().write(content)
        return len(content)


@contextlib.contextmanager
def _descriptors_to(file: TextIO) -> Iterator[None]:
    # The descriptors, not sys.stdout: TensorFlow's C++ and Beam's worker processes write to them.
    saved = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    _flush()
    for descriptor in saved:
        os.dup2(file.fileno(), descriptor)
    try:
        yield
    finally:
        _flush()
        for descriptor, original in saved.items():
            os.dup2(original, descriptor)
            os.close(original)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):  # The disk of the log may be full.
            stream.flush()


def _log_to(file: TextIO, terminal: TextIO) -> None:
    everything = logging.StreamHandler(file)
    everything.addFilter(_holds_no_password)
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(handlers=[everything], format=form, level=logging.INFO, force=True)
    absl_logging.set_verbosity(absl_logging.INFO)
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # On a full disk, each record would print a traceback.
    own = logging.StreamHandler(terminal)
    own.setFormatter(logging.Formatter("    %(message)s"))
    _OWN_LOGGER.addHandler(own)


def _holds_no_password(record: logging.LogRecord) -> bool:
    # Both runners log how they connect to ML Metadata, password included.
    return not str(record.msg).startswith(("Using connection config", "Using deployment config"))


class Steps:
    """Prints a line as each step of a run starts, and one as it ends.

    Attributes:
        failed: Name of the step that failed, or None.
    """

    def __init__(self, terminal: TextIO, connection: ConnectionConfig) -> None:
        """Prepares to follow one run.

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
        """Follows the steps that a runner launches in a ``with`` block."""
        # TFX has no hook for steps; LocalDagRunner and BeamDagRunner both call this method.
        launch = launcher.Launcher.launch

        def announced(step: launcher.Launcher) -> Any:
            return self._follow(step._pipeline_node.node_info.id, lambda: launch(step))

        launcher.Launcher.launch = announced
        try:
            yield
        finally:
            launcher.Launcher.launch = launch

    def outputs(self) -> dict[str, Artifact]:
        """Returns the run's newest artifact of each type, made by it or taken from the cache."""
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
    """Returns a line about a step, aligned with those of other steps.

    Args:
        step: Name of the step.
        state: Its state, in a word of at most 8 letters.
        seconds: Its duration; None while it runs.
        made: A few words about its outputs.
    """
    duration = "" if seconds is None else f"{seconds:6.1f} s"
    return f"{step:<20} {state:<8} {duration:>8}  {made}".rstrip()


def own_message(error: BaseException) -> str:
    """Returns the type and message of an error, without its stack trace.

    Args:
        error: What a TFX runner raised. If its message holds a traceback of a Beam worker, the last
            error of that traceback is returned.
    """
    message = str(error).strip()
    if _FULL_DISK.search(message):  # A library may report it as a failed SQL statement.
        return "The disk is full. Make room and run again."
    _, traceback, stack = message.rpartition("Traceback (most recent call last):\n")
    if not traceback:
        return f"{type(error).__name__}: {message}"
    lines = stack.splitlines()
    return "\n".join(itertools.dropwhile(lambda line: not line or line[0] == " ", lines))
