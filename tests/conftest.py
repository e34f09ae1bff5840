import gc
import os
import re
import signal
import sys
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from unittest import mock

from pipeline_def import startup  # noqa: F401  Before TensorFlow is imported.

# isort: split
import hypothesis
import pytest
from xdist.scheduler import LoadFileScheduling

from pipeline_def import workers

if TYPE_CHECKING:
    from tests.pipelines import Pipeline, Run

# A shell starts background jobs with SIGINT ignored, which processes of the tests would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
workers.use_python_runner()
hypothesis.settings.register_profile("busy", deadline=None)
hypothesis.settings.load_profile("busy")

SAMPLE = "sample"


@pytest.fixture(scope="session", autouse=True)
def temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Puts Beam's temporary directories where pytest removes them."""
    directory = str(tmp_path_factory.mktemp("temporary"))
    with (
        mock.patch.dict(os.environ, TMPDIR=directory),
        mock.patch.object(tempfile, "tempdir", directory),
    ):
        yield


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> "Pipeline":
    """Returns the sample pipeline, not yet run; request `sample_run` too, or run it yourself."""
    from tests.pipelines import Pipeline  # Not above: most tests do not wait for TFX.

    return Pipeline("sample", "beam", tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="session")
def first_run(sample: "Pipeline") -> "Run":
    """Runs the sample once; for tests that get the parameter SAMPLE from another fixture."""
    return sample.run_command(sample.make("run"))


@pytest.fixture(scope="session", params=[SAMPLE])
def sample_run(first_run: "Run") -> "Run":
    """Returns the sample's first run; the parameter keeps tests that read it in one process."""
    return first_run


# Fixtures that run a pipeline of TFX or of tf.Transform.
_PIPELINES = {
    "graph",
    "sample_run",
    "shifted_graph",
    "subwords",
    "three_classes",
    "transform",
    "two_classes",
}


class _FilesAndSample(LoadFileScheduling):
    """Keeps the tests of a file in one process, and likewise all tests of the sample."""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    return _FilesAndSample(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks tests that run pipelines as slow, and sorts slow tests first to balance processes."""
    turns: dict[str, int] = {}
    for item in items:
        if _PIPELINES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
        group = _group(item.nodeid)
        turns[group] = min(_turn(item), turns.get(group, _LAST))
    items.sort(key=lambda item: turns[_group(item.nodeid)])


_LAST = 2


def _group(nodeid: str) -> str:
    """Returns SAMPLE for a test with that parameter, and the test's file otherwise."""
    file, _, test = nodeid.partition("::")
    return SAMPLE if SAMPLE in re.split(r"[\[\]-]", test)[1:] else file


def _turn(item: pytest.Item) -> int:
    if _group(item.nodeid) == SAMPLE:
        return 0
    is_long = item.get_closest_marker("slow") or item.get_closest_marker("browser")
    return 1 if is_long else _LAST


def pytest_collection_finish() -> None:
    # Garbage collection then skips the imported modules and takes a second less.
    gc.freeze()


def pytest_unconfigure() -> None:
    # At exit TensorFlow deletes functions after the module that counts them, and prints an
    # exception for each.
    functions = sys.modules.get("tensorflow.python.eager.polymorphic_function.atomic_function")
    if functions:
        functions.AtomicFunction.__del__ = lambda self: None
