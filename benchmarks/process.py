"""A child process and what it costs, its own children included."""

import dataclasses
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

_STEP = re.compile(r"^(\w+) +done +([\d.]+) s", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Cost:
    """What a process took.

    Attributes:
        seconds: From its start to its end.
        cpu_seconds: Of all its processes, user and system.
        peak_mb: Resident memory of the largest of its processes at its largest, MB; no less than
            that of the process that started it, because Linux counts from before it is replaced.
        output: What it printed.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float
    output: str

    @property
    def steps(self) -> dict[str, float]:
        """Seconds of each pipeline step that it told of as done."""
        return {step: float(seconds) for step, seconds in _STEP.findall(self.output)}


def run(arguments: Sequence[str], **variables: str) -> Cost:
    """Runs Python in a process of its own.

    Args:
        arguments: Of the interpreter, such as ['-m', 'benchmarks.stock'].
        **variables: Added to the environment.

    Returns:
        What it cost.

    Raises:
        RuntimeError: It failed; the message ends with what it printed last.
    """
    command = [sys.executable, "-W", "ignore", *arguments]
    with tempfile.TemporaryFile("w+") as printed:
        start = time.monotonic()
        process = subprocess.Popen(
            command, stdout=printed, stderr=subprocess.STDOUT, env={**os.environ, **variables}
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        output = printed.read()
    if process.returncode:
        raise RuntimeError(
            f"{' '.join(arguments)} ended with {process.returncode}:\n{output[-3000:]}"
        )
    return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, output)
