"""Measures a child process, including its own children."""

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
    """Time and memory of a process.

    Attributes:
        seconds: Elapsed time.
        cpu_seconds: CPU time of the process and its children, user and system.
        peak_mb: Peak resident memory of the largest of these processes, in MB. It is at least that
            of the parent, because Linux counts a forked process before its exec.
        output: Standard output and error.
    """

    seconds: float
    cpu_seconds: float
    peak_mb: float
    output: str

    @property
    def steps(self) -> dict[str, float]:
        """Seconds of each pipeline step that it printed as done."""
        return {step: float(seconds) for step, seconds in _STEP.findall(self.output)}


def run(arguments: Sequence[str], **variables: str) -> Cost:
    """Runs Python in a new process.

    Args:
        arguments: Arguments of the interpreter, such as ['-m', 'benchmarks.stock'].
        **variables: Environment variables to add.

    Returns:
        Its time and memory.

    Raises:
        RuntimeError: The process failed; the message ends with its last output.
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
