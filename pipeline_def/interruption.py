"""What Ctrl-C does, and the SIGTERM of make, of a scheduler or of a container's end."""

import contextlib
import os
import signal
from collections.abc import Iterator

_MESSAGE = b"\nInterrupted. The next run takes the finished steps from the cache.\n"


@contextlib.contextmanager
def ends_process() -> Iterator[None]:
    """Lets SIGINT and SIGTERM end the process at once during a ``with`` block, with one line.

    The exit code is 128 and the signal's number, as of a shell. An exception in the main thread, as
    Python raises for Ctrl-C, would end one thread of many, and TFX's runners would first wait for
    the others and might start another step.
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
