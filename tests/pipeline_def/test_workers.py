import os
from typing import Literal

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import (
    DirectOptions,
    FlinkRunnerOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
    WorkerOptions,
)
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from pipeline_def import beam_worker, workers
from pipeline_def.config import Beam


def test_the_configuration_reaches_beam() -> None:
    arguments = workers.beam_pipeline_args(
        Beam(direct_running_mode="multi_threading", direct_num_workers=3)
    )
    options = PipelineOptions(arguments).view_as(DirectOptions)
    assert options.direct_running_mode == "multi_threading"
    assert options.direct_num_workers == 3
    # Without an image TFX packages its sources for each component.
    assert options.view_as(WorkerOptions).sdk_container_image


def test_arguments_of_ones_own_come_last() -> None:
    arguments = workers.beam_pipeline_args(
        Beam(
            runner="portable",
            pipeline_args=["--job_endpoint=host:1", "--environment_config=pool:2"],
        )
    )
    options = PipelineOptions(arguments)
    assert options.view_as(StandardOptions).runner == "PortableRunner"
    portable = options.view_as(PortableOptions)
    assert portable.job_endpoint == "host:1"
    assert (portable.environment_type, portable.environment_config) == ("EXTERNAL", "pool:2")
    assert portable.job_server_timeout == 86400


def test_flink_gets_the_job_server_and_the_workers_of_its_own_hosts() -> None:
    flink = Beam(runner="flink", pipeline_args=["--flink_master=host:1"])
    options = PipelineOptions(workers.beam_pipeline_args(flink))
    assert options.view_as(FlinkRunnerOptions).flink_submit_uber_jar
    address = options.view_as(PortableOptions).environment_config
    assert address == f"localhost:{beam_worker.PORT}"


def test_every_runner_has_the_same_placeholders_and_its_own_arguments(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    local = Beam()
    flink = Beam(runner="flink", pipeline_args=["--flink_master=h:1"] + ["--x"] * 19)
    keys = []
    for beam_config in (local, flink):
        placeholders = workers.uncached_beam_pipeline_args(beam_config)
        keys.append([placeholder.encode() for placeholder in placeholders])
        given = [os.environ[key.placeholder.key] for key in keys[-1]]
        arguments = workers.beam_pipeline_args(beam_config)
        assert given[: len(arguments)] == arguments
        assert set(given[len(arguments) :]) <= {"--sdk_container_image=local"}
    assert keys[0] == keys[1]


@pytest.mark.parametrize("runner", ["portable", "flink"])
def test_a_remote_runner_has_an_address(runner: Literal["portable", "flink"]) -> None:
    with pytest.raises(ValueError, match="HOST:PORT among pipeline_args"):
        Beam(runner=runner, pipeline_args=["--x"])


def test_pipelines_without_options_run_on_the_runner_of_the_python_package() -> None:
    workers.use_python_runner()
    assert isinstance(beam.Pipeline().runner, FnApiRunner)
