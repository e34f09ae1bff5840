import pathlib
import signal
import subprocess
import sys

import pytest

from pipeline_def.interruption import ends_process

PROJECT = pathlib.Path(__file__).parents[2]

# A run that works in another thread while its standard output goes to a log, here /dev/null.
SCRIPT = """
import os, pathlib, signal, sys, threading, time
from pipeline_def.interruption import ends_process
number, left = int(sys.argv[1]), pathlib.Path(sys.argv[2])
def work():
    time.sleep(2)
    left.touch()
with ends_process():
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    worker = threading.Thread(target=work)
    worker.start()
    os.kill(os.getpid(), number)
    worker.join()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_with_one_line(
    number: signal.Signals, tmp_path: pathlib.Path
) -> None:
    left = tmp_path / "left"
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(int(number)), str(left)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 128 + number
    assert (
        ended.stdout.strip() == "Interrupted. The next run takes the finished steps from the cache."
    )
    assert ended.stderr == ""
    assert not left.exists()


def test_afterwards_signals_do_what_they_did() -> None:
    former = signal.getsignal(signal.SIGINT)
    with ends_process():
        assert signal.getsignal(signal.SIGINT) != former
    assert signal.getsignal(signal.SIGINT) == former
