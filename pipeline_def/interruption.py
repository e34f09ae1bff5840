"""Handles Ctrl-C, and the SIGTERM that make, a scheduler or a stopping container sends."""

import contextlib
import os
import signal
from collections.abc import Iterator

_MESSAGE = b"\nInterrupted. The next run takes the finished steps from the cache.\n"


@contextlib.contextmanager
def ends_process() -> Iterator[None]:
    """Lets SIGINT and SIGTERM end the process at once during a ``with`` block, with one line.

    The exit code is 128 plus the signal's number, as in a shell. Python's KeyboardInterrupt would
    only end the main thread: TFX's runners would wait for the other threads and might start another
    step.
    """
    terminal = os.dup(1)  # During a run, descriptor 1 is the log.

    def end(number: int, _: object) -> None:
        with contextlib.suppress(OSError):  # The terminal may be closed.
            os.write(terminal, _MESSAGE)
        os._exit(128 + number)

    former = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        os.close(terminal)
