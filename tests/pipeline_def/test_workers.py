import os
import pathlib
import subprocess
import sys
import tempfile

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from pipeline_def import workers
from pipeline_def.config import Beam


def test_the_configuration_reaches_beam() -> None:
    arguments = workers.beam_pipeline_args(
        Beam(direct_running_mode="multi_threading", direct_num_workers=3)
    )
    options = PipelineOptions(arguments).view_as(DirectOptions)
    assert options.direct_running_mode == "multi_threading"
    assert options.direct_num_workers == 3


def test_pipelines_without_options_run_on_the_runner_of_the_python_package() -> None:
    workers.use_python_runner()
    assert isinstance(beam.Pipeline().runner, FnApiRunner)


def test_nothing_temporary_is_left_of_a_step_that_fails(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    of_a_worker = [sys.executable, "-c", "import tempfile; tempfile.mkdtemp()"]
    with pytest.raises(RuntimeError, match="fails"), workers.temporary_files_removed():
        subprocess.run(of_a_worker, check=True)
        with beam.Pipeline():
            assert list(tmp_path.rglob("beam-pipeline-temp*"))
            raise RuntimeError("fails")
    assert list(tmp_path.iterdir()) == []
    assert (tempfile.gettempdir(), os.environ["TMPDIR"]) == (str(tmp_path), str(tmp_path))
