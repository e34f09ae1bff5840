"""A server that answers kfp's client as the API server of Kubeflow Pipelines 2.17.0 did.

The forms are those of backend/api/v2beta1/*.proto. Each refusal names what it imitates, as it was
seen when the real server was built from source and asked by hand (2026-11-26).
"""

import dataclasses
import email
import email.message
import graphlib
import http.server
import json
import threading
import urllib.parse
import uuid
from collections.abc import Mapping
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as ir

from tests.pipeline_def.kubeflow.lint import KUBERNETES_FIELDS

_UNFINISHED = "0001-01-01T00:00:00Z"
_GRPC_CODES = {400: 3, 401: 16, 404: 5, 409: 6, 500: 13}
_LONGEST_NAME = 128


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
    """A run whose steps are RUNNING, SUCCEEDED, FAILED, CACHED or DRIVER_FAILED.

    A cached step is like one that succeeded: the API does not tell.
    """
    nodes = [_node("root-driver", "SUCCEEDED"), _node("root", state)]
    for minute, (name, step) in enumerate(steps.items(), 3):
        if step == "DRIVER_FAILED":
            nodes.append(_node(f"{name}-driver", "FAILED", minute))
            nodes.append(_node(name, "RUNTIME_STATE_UNSPECIFIED", minute))
            continue
        executor = "SKIPPED" if step == "CACHED" else step
        nodes += [
            _node(f"{name}-driver", "SUCCEEDED", minute),
            _node(name, "SUCCEEDED" if step == "CACHED" else step, minute, child="executor"),
            _node("executor", executor, minute),
        ]
    return {"state": state, "run_details": {"task_details": nodes[::-1]}}


def _node(name: str, state: str, minute: int = 0, child: str | None = None) -> dict[str, Any]:
    """A task: itself it has no pod_name, only its children have."""
    ended = state not in ("RUNNING", "RUNTIME_STATE_UNSPECIFIED")
    return {
        "display_name": name,
        "state": state,
        "start_time": f"2026-01-01T10:{minute:02}:00Z",
        "end_time": f"2026-01-01T10:{minute:02}:42Z" if ended else _UNFINISHED,
        **({"child_tasks": [{"pod_name": f"sample-x7k2p-{child}-{minute}"}]} if child else {}),
    }


class KubeflowPipelines:
    """The server, for the time of a ``with`` block.

    Attributes:
        host: Its address.
        token: The bearer token that it accepts; None for no login.
        versions: The uploaded versions of each pipeline, by (namespace, name).
        runs: What the runs were created with, by id.
        recurring: What the recurring runs were created with, by id.
        experiments: The ids of the experiments by their names.
        history: What each look at any run gives, the last one again and again; an exception is
            answered as such.
    """

    def __init__(self, token: str | None = None, multi_user: bool = False) -> None:
        self.versions: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.recurring: dict[str, dict[str, Any]] = {}
        self.history: list[dict[str, Any] | RefusedError] = [{"state": "PENDING"}]
        self.experiments: dict[str, str] = {}
        self.token = token
        self._multi_user = multi_user
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

            do_GET = do_POST = do_DELETE = _handle  # noqa: N815 (What http.server looks for.)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "KubeflowPipelines":
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: Request) -> Answer:
        try:
            if self.token and request.headers.get("Authorization") != f"Bearer {self.token}":
                raise RefusedError(401, "Request header error: there is no user identity header.")
            return Answer(json.dumps(self._api(request)).encode())
        except RefusedError as refusal:
            return self._refusal(request, refusal)

    def _refusal(self, request: Request, refusal: RefusedError) -> Answer:
        text = str(refusal)
        status: dict[str, Any] = {
            "code": _GRPC_CODES.get(refusal.status, 2),
            "message": text,
            "details": [],
        }
        if "/upload" in request.path:
            if len(request.query["name"]) > _LONGEST_NAME:
                return Answer(text.encode(), refusal.status, "text/plain")
            status = {"error_message": text, "error_details": text}
        return Answer(json.dumps(status).encode(), refusal.status)

    def _api(self, request: Request) -> Any:
        method, *path = request.method, *request.path.removeprefix("/apis/v2beta1/").split("/")
        match method, *path:
            case "GET", "healthz":
                return {"multi_user": self._multi_user}
            case "GET", "pipelines":
                # Without a namespace these are the shared ones, in multi-user mode as well.
                key = request.query.get("namespace", ""), _filtered(request)
                found = self.versions.get(key, [])[:1]
                return {"pipelines": [{"pipeline_id": v["pipeline_id"]} for v in found]}
            case "POST", "pipelines", "upload":
                return self._upload(request)
            case "POST", "pipelines", "upload_version":
                return self._upload_version(request)
            case "GET", "pipelines", pipeline_id, "versions":
                versions = [v for v in self._all_versions() if v["pipeline_id"] == pipeline_id]
                return {"pipeline_versions": versions, "total_size": len(versions)}
            case "GET", "experiments":
                self._require_namespace(request.query)
                name = _filtered(request)
                return {
                    "experiments": [
                        _experiment(*item) for item in self.experiments.items() if item[0] == name
                    ]
                }
            case "POST", "experiments":
                return self._create_experiment(request.json())
            case "POST", "runs":
                return self._create_run(request.json())
            case "GET", "runs", run_id:
                return self._get_run(run_id)
            case "POST", "recurringruns":
                return self._create_recurring(request.json())
            case "GET", "recurringruns":
                return self._list_recurring(request)
            case "DELETE", "recurringruns", recurring_run_id:
                del self.recurring[recurring_run_id]
                return {}
        raise RefusedError(404, "Not Found")

    def _all_versions(self) -> list[dict[str, Any]]:
        return [version for versions in self.versions.values() for version in versions]

    def _require_namespace(self, resource: Mapping[str, str]) -> None:
        """Only experiments need one; a run belongs to an experiment."""
        if self._multi_user and not resource.get("namespace"):
            raise RefusedError(400, "Invalid input error: Namespace is empty")

    def _upload(self, request: Request) -> dict[str, Any]:
        name = request.query["name"]
        key = request.query.get("namespace", ""), name
        if key in self.versions:
            raise RefusedError(409, "Failed to create a pipeline and a pipeline version")
        version = _version(str(uuid.uuid4()), name, _uploaded(request))
        self.versions[key] = [version]
        return {"pipeline_id": version["pipeline_id"], "display_name": name}

    def _upload_version(self, request: Request) -> dict[str, Any]:
        pipeline_id, name = request.query["pipelineid"], request.query["name"]
        for versions in self.versions.values():
            if versions[0]["pipeline_id"] == pipeline_id:
                if name in [version["display_name"] for version in versions]:
                    raise RefusedError(409, f"The name {name} already exist")
                version = _version(pipeline_id, name, _uploaded(request))
                versions.append(version)
                return version
        raise RefusedError(400, "Failed to create a pipeline version")

    def _create_experiment(self, experiment: dict[str, Any]) -> dict[str, Any]:
        self._require_namespace(experiment)
        name = experiment["display_name"]
        if name in self.experiments:
            raise RefusedError(409, f"Already exist error: Failed to create {name}")
        self.experiments[name] = str(uuid.uuid4())
        return _experiment(name, self.experiments[name])

    def _create_run(self, run: dict[str, Any]) -> dict[str, Any]:
        self._compile(run)
        if run["experiment_id"] not in self.experiments.values():
            raise RefusedError(404, f"Experiment {run['experiment_id']} not found")
        run_id = str(uuid.uuid4())
        self.runs[run_id] = run
        return {"run_id": run_id, "display_name": run["display_name"]}

    def _create_recurring(self, run: dict[str, Any]) -> dict[str, Any]:
        """Names need not be unique. Five fields are taken as well, the first for the seconds."""
        fields = run["trigger"]["cron_schedule"]["cron"].split()
        if len(fields) not in (5, 6) or "25" in fields:  # There is no hour 25.
            raise RefusedError(400, "Invalid input error: Schedule cron is not a valid")
        self._compile(run)
        recurring_run_id = str(uuid.uuid4())
        self.recurring[recurring_run_id] = run
        return {"recurring_run_id": recurring_run_id}

    def _list_recurring(self, request: Request) -> dict[str, Any]:
        self._require_namespace(request.query)
        start, size = int(request.query.get("page_token") or 0), int(request.query["page_size"])
        found = [
            {
                "recurring_run_id": recurring_run_id,
                "display_name": run["display_name"],
                "status": f"{run['mode']}D",  # ENABLE, ENABLED
                "trigger": run["trigger"],
            }
            for recurring_run_id, run in self.recurring.items()
        ]
        more = start + size < len(found)
        return {
            "recurringRuns": found[start : start + size],
            "next_page_token": str(start + size) if more else "",
        }

    def _compile(self, run: dict[str, Any]) -> None:
        """What an upload does not look at: the second document, and cycles."""
        reference = run["pipeline_version_reference"]["pipeline_version_id"]
        (spec, *platform) = next(
            version["documents"]
            for version in self._all_versions()
            if version["pipeline_version_id"] == reference
        )
        for document in platform:
            executors = document["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
            for settings in executors.values():
                if unknown := settings.keys() - KUBERNETES_FIELDS:
                    raise RefusedError(500, f"Internal error: unknown field {unknown.pop()!r}")
        tasks = spec["root"]["dag"]["tasks"]
        graph = {name: task.get("dependentTasks", []) for name, task in tasks.items()}
        try:
            graphlib.TopologicalSorter(graph).prepare()
        except graphlib.CycleError:
            raise RefusedError(500, "Failed to validate workflow for (mine): cycle") from None

    def _get_run(self, run_id: str) -> dict[str, Any]:
        if run_id not in self.runs:
            raise RefusedError(404, f"Failed to get a run: Run {run_id} not found.")
        now = self.history.pop(0) if len(self.history) > 1 else self.history[0]
        if isinstance(now, RefusedError):
            raise now
        return {"run_id": run_id, **now}


def _filtered(request: Request) -> str:
    (predicate,) = json.loads(request.query["filter"])["predicates"]
    assert predicate["operation"] in ("EQUALS", 1)
    assert predicate["key"] == "display_name"
    return str(predicate["stringValue"])


def _experiment(name: str, experiment_id: str) -> dict[str, Any]:
    return {"display_name": name, "experiment_id": experiment_id}


def _version(pipeline_id: str, name: str, documents: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "pipeline_id": pipeline_id,
        "pipeline_version_id": str(uuid.uuid4()),
        "display_name": name,
        "documents": documents,
    }


def _uploaded(request: Request) -> list[dict[str, Any]]:
    """The documents of an uploaded file, of which the server judges the first."""
    if len(request.query["name"]) > _LONGEST_NAME:
        raise RefusedError(400, "Invalid input error: pipeline name cannot exceed 128 characters")
    head = f"Content-Type: {request.headers['Content-Type']}\n\n".encode()
    _, part = email.message_from_bytes(head + request.body).walk()  # The whole, and its only part.
    if part.get_param("name", header="content-disposition") != "uploadfile":
        raise RefusedError(400, "Failed to read pipeline from file")
    if not str(part.get_filename()).endswith((".yaml", ".yml")):
        raise RefusedError(400, "Failed to read a pipeline spec file")
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    documents = list(yaml.safe_load_all(content))
    json_format.ParseDict(documents[0], ir.PipelineSpec())
    if documents[0]["schemaVersion"] != "2.1.0":
        raise RefusedError(400, "KFP only supports schema version 2.1.0")
    return documents
