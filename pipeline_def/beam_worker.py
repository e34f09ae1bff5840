"""Starts Beam workers on this host for a runner elsewhere.

``python -m pipeline_def.beam_worker [PORT]`` serves Beam's external worker pool, by default on port
50000. Run it in this project's environment on the host of each TaskManager of a Flink cluster, or
on each host of another portable runner. Workers execute the code that a runner sends: use it in
trusted networks only.
"""

import os
import subprocess
import sys
import threading

import grpc
from apache_beam.portability.api import (
    beam_fn_api_pb2,
    beam_job_api_pb2,
    beam_job_api_pb2_grpc,
    beam_provision_api_pb2,
    beam_provision_api_pb2_grpc,
)
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer
from google.protobuf import json_format, text_format

PORT = 50000


class WorkerPool(BeamFnExternalWorkerPoolServicer):
    """Beam's external worker pool, for workers that already have all code installed.

    Beam's own pool starts a worker without pipeline options, or by a boot program that downloads
    packages. It never reads the output, so a worker hangs after 200 kB (apache/beam#24357). Neither
    that pool nor Python's job server notices when a worker dies: the job would wait forever.
    """

    def StartWorker(  # noqa: N802 (Beam's name)
        self, start_worker_request: beam_fn_api_pb2.StartWorkerRequest, unused_context: object
    ) -> beam_fn_api_pb2.StartWorkerResponse:
        """Starts a worker process and does not wait for its end.

        Args:
            start_worker_request: The runner's request, with the addresses of its services.
            unused_context: The context of the gRPC call.

        Returns:
            A response, which has an `error` if the worker could not be started.
        """
        request = start_worker_request
        try:
            info = _provision_info(request)
            worker = subprocess.Popen(
                [sys.executable, "-m", "apache_beam.runners.worker.sdk_worker_main"],
                env={**os.environ, **_worker_environment(request, info)},
            )
        except (grpc.RpcError, OSError) as error:
            return beam_fn_api_pb2.StartWorkerResponse(error=str(error))
        self._worker_processes[request.worker_id] = worker
        print(f"Started worker {worker.pid} for {request.control_endpoint.url}.", flush=True)
        threading.Thread(target=_watch, args=(worker, info), daemon=True).start()
        return beam_fn_api_pb2.StartWorkerResponse()


def _provision_info(
    request: beam_fn_api_pb2.StartWorkerRequest,
) -> beam_provision_api_pb2.ProvisionInfo:
    with grpc.insecure_channel(request.provision_endpoint.url) as channel:
        stub = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel)
        return stub.GetProvisionInfo(
            beam_provision_api_pb2.GetProvisionInfoRequest(),
            metadata=[("worker_id", request.worker_id)],
            timeout=30,
        ).info


def _worker_environment(
    request: beam_fn_api_pb2.StartWorkerRequest, info: beam_provision_api_pb2.ProvisionInfo
) -> dict[str, str]:
    """Returns the variables that `sdk_worker_main` reads."""
    logging, control = (
        text_format.MessageToString(given if given.url else asked)
        for given, asked in (
            (info.logging_endpoint, request.logging_endpoint),
            (info.control_endpoint, request.control_endpoint),
        )
    )
    return {
        "WORKER_ID": request.worker_id,
        "PIPELINE_OPTIONS": json_format.MessageToJson(info.pipeline_options),
        "LOGGING_API_SERVICE_DESCRIPTOR": logging,
        "CONTROL_API_SERVICE_DESCRIPTOR": control,
        "RUNNER_CAPABILITIES": " ".join(info.runner_capabilities),
    }


def _watch(worker: subprocess.Popen, info: beam_provision_api_pb2.ProvisionInfo) -> None:
    """Waits for a worker's end, and cancels its job if it failed and the job server is known."""
    code = worker.wait()
    if code == 0:
        return
    print(f"The worker {worker.pid} ended with exit code {code}.", file=sys.stderr, flush=True)
    options = json_format.MessageToDict(info.pipeline_options)
    endpoint = options.get("beam:option:job_endpoint:v1")
    if not endpoint:  # Flink, for example, notices a dead worker itself.
        return
    with grpc.insecure_channel(endpoint) as channel:
        jobs = beam_job_api_pb2_grpc.JobServiceStub(channel)
        for job in jobs.GetJobs(beam_job_api_pb2.GetJobsRequest(), timeout=30).job_info:
            if (
                job.state == beam_job_api_pb2.JobState.RUNNING
                and json_format.MessageToDict(job.pipeline_options) == options
            ):
                request = beam_job_api_pb2.CancelJobRequest(job_id=job.job_id)
                jobs.Cancel(request, timeout=30)
                print(f"Its job {job.job_id} was cancelled.", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> None:
    """Serves workers until the process is ended.

    Args:
        arguments: The port; none for `PORT`.

    Raises:
        SystemExit: There is more than one argument, or it is no number.
    """
    if len(arguments) > 1 or not all(word.isdigit() for word in arguments):
        sys.exit("Usage: python -m pipeline_def.beam_worker [PORT]")
    port = int(arguments[0]) if arguments else PORT
    _, server = WorkerPool.start(use_process=True, port=port)
    print(f"Waiting for Beam jobs on port {port}.", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main(sys.argv[1:])
