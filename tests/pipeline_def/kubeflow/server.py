"""A server that speaks what kfp's client and this project ask of Kubeflow Pipelines 2.

It refuses what the real one refuses. The forms are those of backend/api/v2beta1/*.proto and
backend/src/apiserver/server of kubeflow/pipelines 2.17; the nodes of a run those that
backend/src/v2/compiler/argocompiler makes; ML Metadata is a real store.
"""

import dataclasses
import email
import email.message
import http.server
import io
import json
import struct
import tarfile
import threading
import urllib.parse
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as mlmd
from ml_metadata.proto import metadata_store_service_pb2 as service

_UNFINISHED = "0001-01-01T00:00:00Z"
_GRPC_CODES = {400: 3, 401: 16, 404: 5, 409: 6, 500: 13}


class RefusedError(Exception):
    """An answer that is an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclasses.dataclass
class Answer:
    body: bytes
    status: int = 200
    content_type: str = "application/json"


@dataclasses.dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: email.message.Message
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def run_state(state: str, steps: Mapping[str, str]) -> dict[str, Any]:
    """What a run tells when its steps are RUNNING, SUCCEEDED, FAILED, CACHED or DRIVER_FAILED."""
    nodes = [_node("root-driver", "1", "SUCCEEDED"), _node("root", "2", state)]
    for number, (name, step) in enumerate(steps.items(), 3):
        driver, parent, executor = (f"{number}{part}" for part in "123")
        if step == "DRIVER_FAILED":
            nodes.append(_node(f"{name}-driver", driver, "FAILED", number))
            nodes.append(_node(name, parent, "RUNTIME_STATE_UNSPECIFIED", number))
            continue
        inner = "SKIPPED" if step == "CACHED" else step
        outer = "SUCCEEDED" if step == "CACHED" else step
        nodes += [
            _node(f"{name}-driver", driver, "SUCCEEDED", number),
            _node(name, parent, outer, number, child=executor),
            _node("executor", executor, inner, number),
        ]
    return {"state": state, "run_details": {"task_details": nodes[::-1]}}


def _node(
    name: str, identity: str, state: str, minute: int = 0, child: str | None = None
) -> dict[str, Any]:
    ended = state not in ("RUNNING", "RUNTIME_STATE_UNSPECIFIED")
    return {
        "display_name": name,
        "pod_name": f"sample-x7k2p-template-of-{name}-{identity}",
        "state": state,
        "start_time": f"2026-01-01T10:{minute:02}:00Z",
        "end_time": f"2026-01-01T10:{minute:02}:42Z" if ended else _UNFINISHED,
        **({"child_tasks": [{"pod_name": f"sample-x7k2p-{child}"}]} if child else {}),
    }


class KubeflowPipelines:
    """The server, for the time of a ``with`` block.

    Attributes:
        host: Its address.
        versions: The uploaded versions of each pipeline, by (namespace, name).
        runs: What the runs were created with, by id.
        history: What each look at any run gives, the last one again and again; an exception is
            answered as such.
        store: The ML Metadata of the cluster.
        objects: The cluster's object store: content by URI.
    """

    def __init__(
        self, token: str | None = None, multi_user: bool = False, serves_archives: bool = True
    ) -> None:
        self.versions: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.history: list[dict[str, Any] | RefusedError] = [{"state": "PENDING"}]
        self.objects: dict[str, bytes] = {}
        connection = mlmd.ConnectionConfig()
        connection.fake_database.SetInParent()
        self.store = MetadataStore(connection)
        self._experiments: dict[str, str] = {}
        self._token = token
        self._multi_user = multi_user
        self._serves_archives = serves_archives  # As from 2.17 on.
        cluster = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def _handle(self) -> None:
                parts = urllib.parse.urlsplit(self.path)
                query = dict(urllib.parse.parse_qsl(parts.query))
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                path = urllib.parse.unquote(parts.path)
                answer = cluster._answer(Request(self.command, path, query, self.headers, body))
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = _handle  # noqa: N815 (The names that http.server looks for.)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "KubeflowPipelines":
        threading.Thread(target=self._server.serve_forever, args=[0.05], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def record_output(
        self, run_id: str, name: str, uri: str, metadata: Mapping[str, str | float] | None = None
    ) -> None:
        """Notes an output as backend/src/v2/metadata/client.go does."""
        context_type = self.store.put_context_type(mlmd.ContextType(name="system.PipelineRun"))
        execution_type = self.store.put_execution_type(
            mlmd.ExecutionType(name="system.ContainerExecution")
        )
        artifact_type = self.store.put_artifact_type(mlmd.ArtifactType(name="system.Artifact"))
        artifact = mlmd.Artifact(type_id=artifact_type, uri=uri, state=mlmd.Artifact.LIVE)
        artifact.custom_properties["display_name"].string_value = name
        for key, value in (metadata or {}).items():
            kind = "string_value" if isinstance(value, str) else "double_value"
            setattr(artifact.custom_properties[key], kind, value)
        event = mlmd.Event(type=mlmd.Event.OUTPUT)
        event.path.steps.add().key = name
        context = mlmd.Context(type_id=context_type, name=run_id)
        self.store.put_execution(
            mlmd.Execution(type_id=execution_type),
            [(artifact, event)],
            [context],
            reuse_context_if_already_exist=True,
        )

    def _answer(self, request: Request) -> Answer:
        try:
            self._require_token(request)
            if request.path.startswith("/ml_metadata.MetadataStoreService/"):
                return self._metadata(request)
            if request.path.startswith("/artifacts/"):
                return self._artifact(request)
            return Answer(json.dumps(self._api(request)).encode())
        except RefusedError as refusal:
            status = {
                "code": _GRPC_CODES.get(refusal.status, 2),
                "message": str(refusal),
                "details": [],
            }
            if "/upload" in request.path:
                status = {"error_message": str(refusal), "error_details": str(refusal)}
            return Answer(json.dumps(status).encode(), refusal.status)

    def _require_token(self, request: Request) -> None:
        if self._token and request.headers.get("Authorization") != f"Bearer {self._token}":
            raise RefusedError(401, "Request header error: there is no user identity header.")

    def _api(self, request: Request) -> Any:
        method, *path = request.method, *request.path.removeprefix("/apis/v2beta1/").split("/")
        match method, *path:
            case "GET", "healthz":
                return {"multi_user": self._multi_user}
            case "GET", "pipelines":
                return self._list_pipelines(request)
            case "POST", "pipelines", "upload":
                return self._upload(request)
            case "POST", "pipelines", "upload_version":
                return self._upload_version(request)
            case "GET", "pipelines", pipeline_id, "versions":
                versions = [v for v in self._all_versions() if v["pipeline_id"] == pipeline_id]
                return {"pipeline_versions": versions, "total_size": len(versions)}
            case "GET", "experiments":
                name = _filtered(request)
                found = {k: v for k, v in self._experiments.items() if k == name}
                return {"experiments": [_experiment(*item) for item in found.items()]}
            case "POST", "experiments":
                name = request.json()["display_name"]
                self._experiments[name] = str(uuid.uuid4())
                return _experiment(name, self._experiments[name])
            case "POST", "runs":
                return self._create_run(request.json())
            case "GET", "runs", run_id:
                return self._get_run(run_id)
        raise RefusedError(404, "Not Found")

    def _all_versions(self) -> list[dict[str, Any]]:
        return [version for versions in self.versions.values() for version in versions]

    def _namespace(self, request: Request) -> str:
        namespace = request.query.get("namespace", "")
        if self._multi_user and not namespace:
            raise RefusedError(400, "Namespace is required in multi-user mode.")
        return namespace

    def _list_pipelines(self, request: Request) -> dict[str, Any]:
        key = self._namespace(request), _filtered(request)
        found = self.versions.get(key, [])[:1]
        return {"pipelines": [{"pipeline_id": v["pipeline_id"]} for v in found]}

    def _upload(self, request: Request) -> dict[str, Any]:
        name = request.query["name"]
        key = self._namespace(request), name
        if key in self.versions:
            raise RefusedError(409, "Failed to create a pipeline and a pipeline version")
        version = _version(str(uuid.uuid4()), name, _uploaded(request))
        self.versions[key] = [version]
        return {"pipeline_id": version["pipeline_id"], "display_name": name}

    def _upload_version(self, request: Request) -> dict[str, Any]:
        pipeline_id = request.query["pipelineid"]
        for versions in self.versions.values():
            if versions[0]["pipeline_id"] == pipeline_id:
                version = _version(pipeline_id, request.query["name"], _uploaded(request))
                versions.append(version)
                return version
        raise RefusedError(400, "Failed to create a pipeline version")

    def _create_run(self, run: dict[str, Any]) -> dict[str, Any]:
        reference = run["pipeline_version_reference"]
        spec = next(
            version["pipeline_spec"]
            for version in self._all_versions()
            if version["pipeline_version_id"] == reference["pipeline_version_id"]
        )
        declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
        for name in run["runtime_config"].get("parameters", {}):
            if name not in declared:
                raise RefusedError(400, f"Invalid input error: parameter {name} is not declared")
        if run["experiment_id"] not in self._experiments.values():
            raise RefusedError(404, f"Experiment {run['experiment_id']} not found")
        run_id = str(uuid.uuid4())
        self.runs[run_id] = run
        return {"run_id": run_id, "display_name": run["display_name"]}

    def _get_run(self, run_id: str) -> dict[str, Any]:
        if run_id not in self.runs:
            raise RefusedError(404, f"Failed to get a run: Run {run_id} not found.")
        now = self.history.pop(0) if len(self.history) > 1 else self.history[0]
        if isinstance(now, RefusedError):
            raise now
        return {"run_id": run_id, **now}

    def _metadata(self, request: Request) -> Answer:
        content_type = "application/grpc-web+proto"
        assert request.headers["Content-Type"] == content_type
        kind, length = struct.unpack(">BI", request.body[:5])
        assert (kind, length) == (0, len(request.body) - 5)
        response = self._ask_store(request.path.rpartition("/")[2], request.body[5:])
        content = response.SerializeToString()
        trailers = b"grpc-status: 0\r\n"
        frames = struct.pack(">BI", 0, len(content)) + content
        frames += struct.pack(">BI", 0x80, len(trailers)) + trailers
        return Answer(frames, content_type=content_type)

    def _ask_store(self, method: str, content: bytes) -> Any:
        request = getattr(service, f"{method}Request").FromString(content)
        response = getattr(service, f"{method}Response")
        match method:
            case "GetContextByTypeAndName":
                context = self.store.get_context_by_type_and_name(
                    request.type_name, request.context_name
                )
                return response(context=context)
            case "GetExecutionsByContext":
                return response(executions=self.store.get_executions_by_context(request.context_id))
            case "GetEventsByExecutionIDs":
                events = self.store.get_events_by_execution_ids(request.execution_ids)
                return response(events=events)
            case "GetArtifactsByID":
                return response(artifacts=self.store.get_artifacts_by_id(request.artifact_ids))
        raise AssertionError(f"{method} is not asked by the UI.")

    def _artifact(self, request: Request) -> Answer:
        """frontend/server/handlers/artifacts.ts: a file, or from 2.17 on a directory as archive."""
        _, _, source, bucket, key = request.path.split("/", 4)
        self._namespace(request)
        uri = f"{source}://{bucket}/{key}"
        if uri in self.objects:
            return Answer(self.objects[uri], content_type="application/octet-stream")
        below = {k: v for k, v in self.objects.items() if k.startswith(f"{uri}/")}
        if not (below and self._serves_archives):
            text = f"Failed to get object in bucket: NoSuchKey: {key}"
            return Answer(text.encode(), 500, "text/html")
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as archive:
            for name, content in below.items():
                member = tarfile.TarInfo(name.removeprefix(f"{uri}/"))
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return Answer(packed.getvalue(), content_type="application/gzip")


def _filtered(request: Request) -> str:
    (predicate,) = json.loads(request.query["filter"])["predicates"]
    assert predicate["operation"] in ("EQUALS", 1)
    assert predicate["key"] == "display_name"
    return str(predicate["stringValue"])


def _experiment(name: str, experiment_id: str) -> dict[str, Any]:
    return {"display_name": name, "experiment_id": experiment_id}


def _version(pipeline_id: str, name: str, documents: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "pipeline_id": pipeline_id,
        "pipeline_version_id": str(uuid.uuid4()),
        "display_name": name,
        "pipeline_spec": documents[0],
    }


def _uploaded(request: Request) -> list[dict[str, Any]]:
    head = f"Content-Type: {request.headers['Content-Type']}\n\n".encode()
    _, part = email.message_from_bytes(head + request.body).walk()  # The whole, and its only part.
    if part.get_param("name", header="content-disposition") != "uploadfile":
        raise RefusedError(400, "Failed to read pipeline from file")
    if not str(part.get_filename()).endswith((".yaml", ".yml")):
        raise RefusedError(400, "Failed to read a pipeline spec file")
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    documents = list(yaml.safe_load_all(content))
    json_format.ParseDict(documents[0], pipeline_spec_pb2.PipelineSpec())
    if documents[0]["schemaVersion"] != "2.1.0":
        raise RefusedError(400, "KFP only supports schema version 2.1.0")
    return documents
