import apache_beam as beam
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
