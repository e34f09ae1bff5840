import os
import sys
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING
from unittest import mock

from pipeline_def import startup  # noqa: F401  Before TensorFlow is imported.

# isort: split
import pytest

from pipeline_def import workers

if TYPE_CHECKING:
    from tests.pipelines import Pipeline, Run

workers.use_python_runner()


@pytest.fixture(scope="session", autouse=True)
def temporary_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Lets Beam leave its temporary directories where pytest removes them."""
    directory = str(tmp_path_factory.mktemp("temporary"))
    with (
        mock.patch.dict(os.environ, TMPDIR=directory),
        mock.patch.object(tempfile, "tempdir", directory),
    ):
        yield


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> "Pipeline":
    """The pipeline of the sample; take `sample_run` too, or run it yourself."""
    from tests.pipelines import Pipeline  # Not above: most tests do not wait for TFX.

    return Pipeline("sample", "beam", tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="session")
def sample_run(sample: "Pipeline") -> "Run":
    """The first run of the sample: a whole pipeline that many tests read."""
    return sample.run_command(sample.make("run"))


def pytest_unconfigure() -> None:
    # At the interpreter's end TensorFlow destroys functions after the module that counts them, and
    # prints an exception for each.
    functions = sys.modules.get("tensorflow.python.eager.polymorphic_function.atomic_function")
    if functions:
        functions.AtomicFunction.__del__ = lambda self: None
