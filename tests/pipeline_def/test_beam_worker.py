"""Runs jobs on Beam's Python job server and a worker pool, both in this process."""

import os
import pathlib
from collections.abc import Iterator

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_fn_api_pb2, beam_provision_api_pb2
from apache_beam.runners.portability import local_job_service

from pipeline_def import beam_worker, workers
from pipeline_def.config import Beam


@pytest.fixture
def options() -> Iterator[PipelineOptions]:
    """Starts a job server and a pool, and yields the options of a job on them."""
    jobs = local_job_service.LocalJobServicer()
    endpoint = f"localhost:{jobs.start_grpc_server(0)}"
    address, pool = beam_worker.WorkerPool.start(use_process=True)
    settings = Beam(
        runner="portable",
        pipeline_args=[f"--job_endpoint={endpoint}", f"--environment_config={address}"],
    )
    yield PipelineOptions(workers.beam_pipeline_args(settings))
    pool.stop(0).wait()
    jobs.stop()


@pytest.mark.slow
def test_a_worker_does_the_work(options: PipelineOptions, tmp_path: pathlib.Path) -> None:
    with beam.Pipeline(options=options) as pipeline:
        _ = pipeline | beam.Create([str(tmp_path / "made")]) | beam.Map(os.mkdir)
    assert (tmp_path / "made").is_dir()


@pytest.mark.slow
@pytest.mark.timeout(120)  # Without the pool's watch the job would wait for ever.
# The threads in which Beam reads from the worker fail with it.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_dies_ends_its_job(
    options: PipelineOptions, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Exception, match="CANCELLED"), beam.Pipeline(options=options) as pipeline:
        _ = pipeline | beam.Create([3]) | beam.Map(os._exit)
    assert "ended with exit code 3" in capfd.readouterr().err


def test_a_worker_is_told_the_endpoints_of_its_job_or_else_those_of_the_request() -> None:
    request = beam_fn_api_pb2.StartWorkerRequest(
        worker_id="worker-1",
        logging_endpoint={"url": "asked:1"},
        control_endpoint={"url": "asked:2"},
    )
    info = beam_provision_api_pb2.ProvisionInfo(control_endpoint={"url": "given:2"})
    environment = beam_worker._worker_environment(request, info)
    assert environment["WORKER_ID"] == "worker-1"
    assert environment["LOGGING_API_SERVICE_DESCRIPTOR"].strip() == 'url: "asked:1"'
    assert environment["CONTROL_API_SERVICE_DESCRIPTOR"].strip() == 'url: "given:2"'


@pytest.mark.parametrize("arguments", [["50000", "50001"], ["host:50000"], [""]])
def test_anything_but_a_port_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="Usage"):
        beam_worker.main(arguments)
