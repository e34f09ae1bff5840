"""Measures a process with its children.

``python -m benchmarks.process ARGUMENTS`` is a small process that starts the measured one: on Linux
the peak memory of a child begins with that of its parent, from which it was forked.
"""

import dataclasses
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence

_STEP = re.compile(r"^(\w+) +done +([\d.]+) s", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Cost:
    """Time and memory of a process.

    Attributes:
        seconds: Elapsed time.
        cpu_seconds: CPU time of the process and its children, user and system.
        peak_mb: Peak resident memory of the largest of these processes, in MB.
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
        RuntimeError: The process failed; the message ends with the last part of its output.
    """
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks.process", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **variables},
        text=True,
    )
    if ran.returncode:
        raise RuntimeError(
            f"{' '.join(arguments)} ended with {ran.returncode}:\n{ran.stdout[-3000:]}"
        )
    output, _, cost = ran.stdout.rstrip().rpartition("\n")
    return Cost(**json.loads(cost), output=output)


def main(arguments: Sequence[str]) -> None:
    """Runs Python, and prints a JSON line of its time and memory below its output.

    Args:
        arguments: Arguments of the interpreter.

    Raises:
        SystemExit: The process failed.
    """
    start = time.monotonic()
    process = subprocess.Popen([sys.executable, "-W", "ignore", *arguments])
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - start
    if status:
        sys.exit(os.waitstatus_to_exitcode(status))
    cpu_seconds = usage.ru_utime + usage.ru_stime
    peak_mb = usage.ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mb": peak_mb}))


if __name__ == "__main__":
    main(sys.argv[1:])
