"""Runs tests on a changed copy of the sources, in forks of a process that imported libraries."""

import contextlib
import gc
import importlib
import inspect
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest

_LIBRARIES = (
    "_hypothesis_pytestplugin",
    "anyio.pytest_plugin",
    "apache_beam",
    "hypothesis",
    "keras",
    "matplotlib.pyplot",
    "pandas",
    "pyarrow",
    "pydantic",
    "pytest_timeout",
    "sklearn.manifold",
    "tensorflow",
    "tensorflow_datasets",
    "tensorflow_model_analysis",
    "tensorflow_text",
    "tensorflow_transform",
    "tensorboard.plugins.projector",
    "tfx.v1",
)
PASSED = 0
SAID = "tests.log"  # The output of the tests, in the copy.


def import_libraries() -> None:
    """Imports slow libraries once, for all forks of this process."""
    for library in _LIBRARIES:
        importlib.import_module(library)
    # The first call, which pydantic would make in each fork, inspects all modules.
    inspect.getmodule(import_libraries.__code__)
    gc.freeze()  # Leaves these modules out when pytest collects garbage, five times a run.


@contextlib.contextmanager
def copy_of_sources() -> Iterator[str]:
    """Yields a temporary directory with a copy of all files that git does not ignore."""
    with tempfile.TemporaryDirectory() as copy:
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        for name in subprocess.check_output(listed, text=True).split("\0"):
            if name and os.path.isfile(name):
                os.makedirs(os.path.dirname(f"{copy}/{name}"), exist_ok=True)
                shutil.copy2(name, f"{copy}/{name}")
        yield copy


def _run_tests(copy: str, tests: list[str]) -> None:
    os.setsid()  # `outcome` kills the whole process group.
    said = os.open(f"{copy}/{SAID}", os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    for stream in (0, 1, 2):
        os.dup2(said, stream)
    os.chdir(copy)
    os.environ["PYTHONPATH"] = sys.path[0] = copy
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    for name in [name for name in sys.modules if name.split(".")[0] == "tests"]:
        del sys.modules[name]
    markers = "not browser and not docker and not imdb"
    os._exit(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-m", markers, *tests]))


def outcome(copy: str, tests: list[str], limit: float) -> int | None:
    """Returns pytest's exit code, or None where the limit, in seconds, was reached."""
    child = multiprocessing.get_context("fork").Process(target=_run_tests, args=(copy, tests))
    child.start()
    child.join(limit)
    code = child.exitcode
    assert child.pid
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.join()
    return code
