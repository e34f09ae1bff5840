"""Asks the ML Metadata of a cluster, through its UI, as the UI's pages do.

The API of Kubeflow Pipelines 2 tells of no artifact; the UI's server passes gRPC-Web requests on to
ML Metadata. Format: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-WEB.md.
"""

import struct
import urllib.parse
from typing import TypeVar

from google.protobuf import message
from ml_metadata.proto import metadata_store_pb2
from ml_metadata.proto import metadata_store_service_pb2 as service

from pipeline_def.kubeflow.client import Cluster, ClusterError

_RUN_CONTEXT = "system.PipelineRun"  # backend/src/v2/metadata/client.go of kubeflow/pipelines
_TYPE = "application/grpc-web+proto"
_FRAME = struct.Struct(">BI")  # Kind and length.
_MESSAGE, _TRAILERS = 0x00, 0x80

_Response = TypeVar("_Response", bound=message.Message)


def output(cluster: Cluster, run_id: str, name: str) -> metadata_store_pb2.Artifact | None:
    """Finds an output of a run, made by it or taken from the cache.

    Args:
        cluster: Where it ran; its host is that of the UI.
        run_id: The run.
        name: The output's name, such as 'projection'.

    Returns:
        The newest such artifact; None if there is none.

    Raises:
        ClusterError: ML Metadata does not answer.
    """
    context = _call(
        cluster,
        "GetContextByTypeAndName",
        service.GetContextByTypeAndNameRequest(type_name=_RUN_CONTEXT, context_name=run_id),
        service.GetContextByTypeAndNameResponse,
    ).context
    executions = _call(
        cluster,
        "GetExecutionsByContext",
        service.GetExecutionsByContextRequest(context_id=context.id),
        service.GetExecutionsByContextResponse,
    ).executions
    if not executions:
        return None
    events = _call(
        cluster,
        "GetEventsByExecutionIDs",
        service.GetEventsByExecutionIDsRequest(execution_ids=[one.id for one in executions]),
        service.GetEventsByExecutionIDsResponse,
    ).events
    ids = [
        event.artifact_id
        for event in events
        if event.type == metadata_store_pb2.Event.OUTPUT
        and [step.key for step in event.path.steps] == [name]
    ]
    if not ids:
        return None
    return _call(
        cluster,
        "GetArtifactsByID",
        service.GetArtifactsByIDRequest(artifact_ids=[max(ids)]),
        service.GetArtifactsByIDResponse,
    ).artifacts[0]


def _call(
    cluster: Cluster, method: str, request: message.Message, response_type: type[_Response]
) -> _Response:
    content = request.SerializeToString()
    try:
        with cluster.open(
            f"/ml_metadata.MetadataStoreService/{method}",
            _FRAME.pack(_MESSAGE, len(content)) + content,
            {"Content-Type": _TYPE, "Accept": _TYPE, "X-Grpc-Web": "1"},
        ) as answer:
            trailers, body = dict(answer.headers), answer.read()
    except ClusterError as error:
        if error.status != 404:
            raise
        raise ClusterError(
            f"{cluster.host} passes no questions on to ML Metadata. Give --host the address of the "
            "UI (the service ml-pipeline-ui), not that of the API server (ml-pipeline).",
            404,
        ) from error
    response = response_type()
    while body:
        kind, length = _FRAME.unpack_from(body)
        content, body = body[_FRAME.size : _FRAME.size + length], body[_FRAME.size + length :]
        if kind == _TRAILERS:
            lines = content.decode().splitlines()
            trailers |= dict(line.split(":", 1) for line in lines if ":" in line)
        else:
            response.MergeFromString(content)
    status = {name.lower(): value.strip() for name, value in trailers.items()}
    if status.get("grpc-status", "0") != "0":
        said = urllib.parse.unquote(status.get("grpc-message", ""))
        raise ClusterError(f"ML Metadata of {cluster.host} answered: {said or status}.")
    return response
