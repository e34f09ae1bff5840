"""A server that answers kfp's client as the API server of Kubeflow Pipelines 2.17.0 does.

Requests and answers have the fields of backend/api/v2beta1/*.proto. The refusals are those of the
real server, which was built from source and queried by hand (2026-11-26).
"""

import json
import threading
import uuid
from collections.abc import Mapping
from typing import Any

import flask
import werkzeug.serving
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as ir

from tests.pipeline_def.kubeflow.lint import KUBERNETES_FIELDS, cycle

_UNFINISHED = "0001-01-01T00:00:00Z"
_GRPC_CODES = {400: 3, 401: 16, 404: 5, 409: 6, 500: 13}
_LONGEST_NAME = 128


class RefusedError(Exception):
    """An error that the server answers with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def run_state(state: str, steps: Mapping[str, str]) -> dict[str, Any]:
    """Returns a run whose steps are RUNNING, SUCCEEDED, FAILED, CACHED or DRIVER_FAILED.

    The API shows a cached step like one that succeeded.
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
    """Returns a task; as in the API, only its children have a pod_name."""
    ended = state not in ("RUNNING", "RUNTIME_STATE_UNSPECIFIED")
    return {
        "display_name": name,
        "state": state,
        "start_time": f"2026-01-01T10:{minute:02}:00Z",
        "end_time": f"2026-01-01T10:{minute:02}:42Z" if ended else _UNFINISHED,
        **({"child_tasks": [{"pod_name": f"sample-x7k2p-{child}-{minute}"}]} if child else {}),
    }


class KubeflowPipelines:
    """The server, which runs during a ``with`` block.

    Attributes:
        host: Its address.
        token: The bearer token that it accepts; None for no login.
        versions: The uploaded versions of each pipeline, by (namespace, name).
        runs: The requests that created the runs, by id.
        recurring: The requests that created the recurring runs, by id.
        experiments: The ids of the experiments by their names.
        history: The answers to requests for any run, in order; the last one is repeated. A
            RefusedError is answered as an error.
    """

    def __init__(self, token: str | None = None, multi_user: bool = False) -> None:
        self.versions: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.recurring: dict[str, dict[str, Any]] = {}
        self.history: list[dict[str, Any] | RefusedError] = [{"state": "PENDING"}]
        self.experiments: dict[str, str] = {}
        self.token = token
        self._multi_user = multi_user
        app = flask.Flask(__name__)
        app.before_request(self._require_token)
        app.register_error_handler(RefusedError, _refusal)
        for method, path, view in (
            ("GET", "healthz", self._get_health),
            ("GET", "pipelines", self._list_pipelines),
            ("POST", "pipelines/upload", self._upload),
            ("POST", "pipelines/upload_version", self._upload_version),
            ("GET", "pipelines/<pipeline_id>/versions", self._list_versions),
            ("GET", "experiments", self._list_experiments),
            ("POST", "experiments", self._create_experiment),
            ("POST", "runs", self._create_run),
            ("GET", "runs/<run_id>", self._get_run),
            ("GET", "recurringruns", self._list_recurring),
            ("POST", "recurringruns", self._create_recurring),
            ("DELETE", "recurringruns/<recurring_run_id>", self._delete_recurring),
        ):
            app.add_url_rule(f"/apis/v2beta1/{path}", view.__name__, view, methods=[method])
        self._server = werkzeug.serving.make_server("127.0.0.1", 0, app, request_handler=_Silent)
        self.host = f"http://127.0.0.1:{self._server.port}"

    def __enter__(self) -> "KubeflowPipelines":
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _require_token(self) -> None:
        if self.token and flask.request.headers.get("Authorization") != f"Bearer {self.token}":
            raise RefusedError(401, "Request header error: there is no user identity header.")

    def _require_namespace(self, resource: Mapping[str, str]) -> None:
        """Refuses a request without a namespace; a run needs none, as its experiment has one."""
        if self._multi_user and not resource.get("namespace"):
            raise RefusedError(400, "Invalid input error: Namespace is empty")

    def _get_health(self) -> dict[str, Any]:
        return {"multi_user": self._multi_user}

    def _list_pipelines(self) -> dict[str, Any]:
        """Lists a namespace's pipelines; without one the shared ones, in multi-user mode too."""
        found = self.versions.get((flask.request.args.get("namespace", ""), _filtered()), [])[:1]
        return {"pipelines": [{"pipeline_id": version["pipeline_id"]} for version in found]}

    def _list_versions(self, pipeline_id: str) -> dict[str, Any]:
        versions = [v for v in self._all_versions() if v["pipeline_id"] == pipeline_id]
        return {"pipeline_versions": versions, "total_size": len(versions)}

    def _all_versions(self) -> list[dict[str, Any]]:
        return [version for versions in self.versions.values() for version in versions]

    def _upload(self) -> dict[str, Any]:
        name = flask.request.args["name"]
        key = flask.request.args.get("namespace", ""), name
        if key in self.versions:
            raise RefusedError(409, "Failed to create a pipeline and a pipeline version")
        version = _uploaded_version(str(uuid.uuid4()), name)
        self.versions[key] = [version]
        return {"pipeline_id": version["pipeline_id"], "display_name": name}

    def _upload_version(self) -> dict[str, Any]:
        pipeline_id, name = flask.request.args["pipelineid"], flask.request.args["name"]
        for versions in self.versions.values():
            if versions[0]["pipeline_id"] == pipeline_id:
                if name in [version["display_name"] for version in versions]:
                    raise RefusedError(409, f"The name {name} already exist")
                version = _uploaded_version(pipeline_id, name)
                versions.append(version)
                return version
        raise RefusedError(400, "Failed to create a pipeline version")

    def _list_experiments(self) -> dict[str, Any]:
        self._require_namespace(flask.request.args)
        name = _filtered()
        known = [name] if name in self.experiments else []
        return {"experiments": [self._experiment(name) for name in known]}

    def _create_experiment(self) -> dict[str, Any]:
        experiment = flask.request.get_json()
        self._require_namespace(experiment)
        name = experiment["display_name"]
        if name in self.experiments:
            raise RefusedError(409, f"Already exist error: Failed to create {name}")
        self.experiments[name] = str(uuid.uuid4())
        return self._experiment(name)

    def _experiment(self, name: str) -> dict[str, Any]:
        return {"display_name": name, "experiment_id": self.experiments[name]}

    def _create_run(self) -> dict[str, Any]:
        run = flask.request.get_json()
        self._compile(run)
        if run["experiment_id"] not in self.experiments.values():
            raise RefusedError(404, f"Experiment {run['experiment_id']} not found")
        run_id = str(uuid.uuid4())
        self.runs[run_id] = run
        return {"run_id": run_id, "display_name": run["display_name"]}

    def _create_recurring(self) -> dict[str, Any]:
        """Accepts a name that exists, and five cron fields, whose first it takes for seconds."""
        run = flask.request.get_json()
        fields = run["trigger"]["cron_schedule"]["cron"].split()
        if len(fields) not in (5, 6) or "25" in fields:  # There is no hour 25.
            raise RefusedError(400, "Invalid input error: Schedule cron is not a valid")
        self._compile(run)
        recurring_run_id = str(uuid.uuid4())
        self.recurring[recurring_run_id] = run
        return {"recurring_run_id": recurring_run_id}

    def _delete_recurring(self, recurring_run_id: str) -> dict[str, Any]:
        del self.recurring[recurring_run_id]
        return {}

    def _list_recurring(self) -> dict[str, Any]:
        query = flask.request.args
        self._require_namespace(query)
        start, size = int(query.get("page_token") or 0), int(query["page_size"])
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
        """Checks what an upload does not: the second document, and cycles."""
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
        for fault in cycle(json_format.ParseDict(spec, ir.PipelineSpec())):
            raise RefusedError(500, f"Failed to validate workflow for (mine): {fault}")

    def _get_run(self, run_id: str) -> dict[str, Any]:
        if run_id not in self.runs:
            raise RefusedError(404, f"Failed to get a run: Run {run_id} not found.")
        now = self.history.pop(0) if len(self.history) > 1 else self.history[0]
        if isinstance(now, RefusedError):
            raise now
        return {"run_id": run_id, **now}


class _Silent(werkzeug.serving.WSGIRequestHandler):
    def log_request(self, *_: Any) -> None:
        pass


def _refusal(refusal: RefusedError) -> tuple[Any, int]:
    text = str(refusal)
    if "/upload" not in flask.request.path:
        code = _GRPC_CODES.get(refusal.status, 2)
        return {"code": code, "message": text, "details": []}, refusal.status
    if len(flask.request.args["name"]) > _LONGEST_NAME:
        return flask.Response(text, content_type="text/plain"), refusal.status
    return {"error_message": text, "error_details": text}, refusal.status


def _filtered() -> str:
    (predicate,) = json.loads(flask.request.args["filter"])["predicates"]
    assert predicate["operation"] in ("EQUALS", 1)
    assert predicate["key"] == "display_name"
    return str(predicate["stringValue"])


def _uploaded_version(pipeline_id: str, name: str) -> dict[str, Any]:
    """Returns the version of an uploaded file, of which only the first document is checked."""
    if len(name) > _LONGEST_NAME:
        raise RefusedError(400, "Invalid input error: pipeline name cannot exceed 128 characters")
    file = flask.request.files.get("uploadfile")
    if file is None:
        raise RefusedError(400, "Failed to read pipeline from file")
    if not str(file.filename).endswith((".yaml", ".yml")):
        raise RefusedError(400, "Failed to read a pipeline spec file")
    documents = list(yaml.safe_load_all(file.read()))
    json_format.ParseDict(documents[0], ir.PipelineSpec())
    if documents[0]["schemaVersion"] != "2.1.0":
        raise RefusedError(400, "KFP only supports schema version 2.1.0")
    return {
        "pipeline_id": pipeline_id,
        "pipeline_version_id": str(uuid.uuid4()),
        "display_name": name,
        "documents": documents,
    }
