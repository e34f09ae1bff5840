"""Runs Beam's Python job server for workers on several hosts.

``python -m tests.cluster.job_server ADDRESS PORT POOL…`` listens on all addresses of this machine
and starts one worker per job in each worker pool POOL. The job server that comes with Beam listens
on localhost only and starts one worker in one pool.
"""

import itertools
import sys
import time
from typing import Any

from apache_beam.runners.portability import local_job_service
from apache_beam.runners.portability.fn_api_runner import fn_runner, worker_handlers
from apache_beam.runners.runner import PipelineResult

from pipeline_def import workers


def main(address: str, port: str, *pools: str) -> None:
    turns = itertools.cycle(pools)
    handlers: Any = worker_handlers.ExternalWorkerHandler
    start_worker = handlers.start_worker

    def start_in_turn(handler: worker_handlers.ExternalWorkerHandler) -> None:
        handler._external_payload.endpoint.url = next(turns)
        start_worker(handler)

    handlers.start_worker = start_in_turn
    handlers.host_from_worker = lambda handler: address

    class Job(local_job_service.BeamJob):
        def _invoke_runner(self) -> PipelineResult:
            runner = fn_runner.FnApiRunner(provision_info=self._provision_info)
            runner._num_workers = len(pools)
            self.set_state(local_job_service.beam_job_api_pb2.JobState.RUNNING)
            return runner.run_via_runner_api(self._pipeline_proto, self.pipeline_options())

    class Server(local_job_service.LocalJobServicer):
        def get_bind_address(self) -> str:
            return "[::]"

        def get_service_address(self) -> str:
            return address

    workers.use_python_runner()
    server = Server(beam_job_type=Job)
    server.start_grpc_server(int(port))
    print("ready", flush=True)
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    main(*sys.argv[1:])
