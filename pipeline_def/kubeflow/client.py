"""Uploads and starts pipelines on a Kubeflow Pipelines installation, through kfp.Client."""

import datetime
import json
import pathlib
import re
import ssl
import tempfile
from typing import Any

import kfp
import kfp_server_api
from kfp.client.set_volume_credentials import ServiceAccountTokenVolumeCredentials

_TIMEOUT_SECONDS = 10  # Of an attempt; urllib3 makes four.
# The API server judges an uploaded pipeline when it makes a workflow of it, and answers 500.
_BAD_PIPELINE = re.compile("Failed to (validate|generate|compile|unmarshal)|unknown field")


class Client(kfp.Client):
    """A client for one user, which reports at once why an installation cannot be used.

    kfp's own client asks for the server's health five times in 25 seconds, prints a traceback each
    time, and accepts a login page as the answer.
    """

    def __init__(
        self, host: str, namespace: str | None = None, token_file: pathlib.Path | None = None
    ) -> None:
        """Connects to the installation.

        Args:
            host: Address of its user interface, such as https://kubeflow.example.com/pipeline, with
                or without the '#' and the page that a browser shows after it.
            namespace: The Kubernetes namespace of the user, where each user has one.
            token_file: A file with a bearer token. It is read for each request, as tokens expire.

        Raises:
            ValueError: The answer is not that of Kubeflow Pipelines, or `namespace` is required.
            kfp_server_api.ApiException: The server refuses the token.
            urllib3.exceptions.HTTPError: The server does not answer.
        """
        self.namespace = namespace
        credentials = ServiceAccountTokenVolumeCredentials(str(token_file)) if token_file else None
        super().__init__(
            host=host.partition("#")[0].rstrip("/"),
            namespace=namespace or "kubeflow",  # kfp takes this name for no namespace.
            credentials=credentials,
            ssl_ca_cert=ssl.get_default_verify_paths().cafile,  # Of SSL_CERT_FILE, if set.
        )
        self.get_kfp_healthz()

    def get_kfp_healthz(self, sleep_duration: int = 0) -> kfp_server_api.V2beta1GetHealthzResponse:
        """Asks for the health of the server, once; see `__init__` for the errors."""
        # Without the API's own method, because kfp-server-api 2.17 renamed it.
        health = self._healthz_api.api_client.call_api(
            "/apis/v2beta1/healthz",
            "GET",
            response_type="object",
            auth_settings=["Bearer"],
            _return_http_data_only=True,
            _request_timeout=_TIMEOUT_SECONDS,
        )
        if not isinstance(health, dict):
            raise ValueError(
                "--host: a page answers, not the Kubeflow Pipelines API. If it is a login, pass "
                "--token-file; otherwise add the path of Kubeflow Pipelines, such as /pipeline."
            )
        multi_user = health.get("multi_user", False)
        if multi_user and not self.namespace:
            raise ValueError("--namespace: is required, because each user has one there.")
        return kfp_server_api.V2beta1GetHealthzResponse(multi_user=multi_user)

    def upload(self, pipeline: str, name: str) -> kfp_server_api.V2beta1PipelineVersion:
        """Uploads a compiled pipeline, as a new version if the installation knows its name."""
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, f"{name}.yaml")
            path.write_text(pipeline, encoding="utf-8")
            # Not get_pipeline_id, which looks into no namespace.
            known = self.list_pipelines(filter=_named(name), namespace=self.namespace).pipelines
            if known:
                return self.upload_pipeline_version(
                    str(path), unique_name(name), pipeline_id=known[0].pipeline_id
                )
            new = self.upload_pipeline(str(path), name, namespace=self.namespace)
            return self.list_pipeline_versions(new.pipeline_id).pipeline_versions[0]

    def arguments(
        self,
        version: kfp_server_api.V2beta1PipelineVersion,
        experiment: str = "Default",
        pipeline_root: str | None = None,
        service_account: str | None = None,
    ) -> dict[str, Any]:
        """Returns the arguments of `run_pipeline` and `create_recurring_run` that name a version.

        Args:
            version: The version to run.
            experiment: Name of the experiment, which is created if it is new.
            pipeline_root: URI for the outputs; None for the cluster's default.
            service_account: Kubernetes service account of the steps; None for the default.
        """
        group = self.create_experiment(experiment, namespace=self.namespace)
        return {
            "experiment_id": group.experiment_id,
            "pipeline_id": version.pipeline_id,
            "version_id": version.pipeline_version_id,
            "pipeline_root": pipeline_root,
            "service_account": service_account,
        }

    def repeat(self, name: str, cron: str, enabled: bool, arguments: dict[str, Any]) -> None:
        """Creates a recurring run and deletes those that have the same name.

        Args:
            name: Its name.
            cron: Its times in six fields, the first for the seconds.
            enabled: Whether it is active; if not, it can be enabled in the user interface.
            arguments: What `Client.arguments` returned.
        """
        before = self.recurring(name)
        self.create_recurring_run(
            job_name=name,
            cron_expression=cron,
            no_catchup=True,  # Runs that were missed would all see the same data.
            enabled=enabled,
            **arguments,
        )
        for run in before:
            self.delete_recurring_run(run.recurring_run_id)

    def recurring(self, name: str | None = None) -> list[kfp_server_api.V2beta1RecurringRun]:
        """Returns the recurring runs, all or those of a name."""
        found: list[kfp_server_api.V2beta1RecurringRun] = []
        token = ""
        while True:
            page = self.list_recurring_runs(token, page_size=100, namespace=self.namespace)
            found += page.recurring_runs or []
            token = page.next_page_token
            if not token:
                return [run for run in found if name in (None, run.display_name)]


def refusal(error: kfp_server_api.ApiException) -> str:
    """Returns what to tell a user about a request that the server refused."""
    said = _message(error.body or "") or error.reason
    if error.status == 500 and _BAD_PIPELINE.search(said):
        return (
            f"cannot run the compiled pipeline: {said}. The fault is in the YAML; see it with "
            "'python -m pipeline_def.kubeflow compile --output -'."
        )
    if error.status in (401, 403):
        said = f"{said}. Pass --token-file with a token of yours that has not expired"
    return f"answered {error.status}: {said}."


def unique_name(name: str) -> str:
    """Appends the time to a name: Kubernetes accepts lower-case letters, digits and hyphens."""
    return f"{name}-{datetime.datetime.now():%Y%m%d-%H%M%S-%f}"


def _named(name: str) -> str:
    """Returns a filter of the v2beta1 API, see backend/api/v2beta1/filter.proto."""
    predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
    return json.dumps({"predicates": [predicate]})


def _message(body: str) -> str:
    """Returns the text of an error: a google.rpc.Status, or what the upload handler writes."""
    try:
        answer = json.loads(body)
        said = answer.get("message") or answer.get("error_message") or ""
    except (ValueError, AttributeError):  # No JSON, or no object.
        said = "" if body.lstrip().startswith("<") else body  # Without the HTML page of a proxy.
    return " ".join(said.split()).rstrip(".")[:500]
