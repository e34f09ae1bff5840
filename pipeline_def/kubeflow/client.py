"""Talks to a Kubeflow Pipelines installation through kfp.Client, and puts its errors into words."""

import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import re
import ssl
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from typing import Any

import kfp
import kfp_server_api
import urllib3
from kfp.client import set_volume_credentials

_TIMEOUT_SECONDS = 30
# The API server judges an uploaded pipeline when it makes a workflow of it, and answers 500.
_BAD_PIPELINE = re.compile("Failed to (validate|generate|compile|unmarshal)|unknown field")


class ClusterError(Exception):
    """An answer of a cluster that is an error, or the reason why there is no answer.

    Attributes:
        status: The HTTP status of the answer; None if there is none.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclasses.dataclass(frozen=True)
class Launch:
    """What to run, and how.

    Attributes:
        version: The version of a pipeline.
        experiment: Name of the experiment that the run belongs to; created if it is new.
        pipeline_root: URI of a directory for the outputs; None for the cluster's default.
        service_account: The Kubernetes service account of the steps; None for the cluster's
            default.
    """

    version: kfp_server_api.V2beta1PipelineVersion
    experiment: str = "Default"
    pipeline_root: str | None = None
    service_account: str | None = None


class Cluster:
    """A Kubeflow Pipelines installation, as one user sees it.

    Every method raises a ClusterError if the installation refuses something or does not answer.
    """

    def __init__(
        self, host: str, namespace: str | None = None, token_file: pathlib.Path | None = None
    ) -> None:
        """Connects to the installation.

        Args:
            host: Address of its user interface, such as https://kubeflow.example.com/pipeline.
            namespace: The Kubernetes namespace of the user, where each user has one.
            token_file: A file with a bearer token. It is read for each request, as tokens expire.
        """
        self._host = _address(host)
        self._namespace = namespace
        self._token_file = token_file
        credentials = None
        if token_file:
            credentials = set_volume_credentials.ServiceAccountTokenVolumeCredentials(
                str(token_file)
            )
        self._require_health()
        with self._errors_in_words():
            self._client = kfp.Client(
                host=self._host,
                namespace=namespace or "kubeflow",  # kfp takes this name for no namespace.
                credentials=credentials,
                ssl_ca_cert=ssl.get_default_verify_paths().cafile,  # Of SSL_CERT_FILE, if set.
            )

    def upload(self, pipeline: str, name: str) -> kfp_server_api.V2beta1PipelineVersion:
        """Uploads a compiled pipeline, as a new version if the installation knows its name."""
        with self._errors_in_words(), tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, f"{name}.yaml")
            pathlib.Path(path).write_text(pipeline, encoding="utf-8")
            known = self._client.list_pipelines(
                filter=_named(name), namespace=self._namespace
            ).pipelines
            if known:
                return self._client.upload_pipeline_version(
                    path, unique_name(name), pipeline_id=known[0].pipeline_id
                )
            new = self._client.upload_pipeline(path, name, namespace=self._namespace)
            return self._client.list_pipeline_versions(new.pipeline_id).pipeline_versions[0]

    def start(self, launch: Launch, name: str) -> str:
        """Starts a run of a name and returns its id."""
        with self._errors_in_words():
            return str(self._client.run_pipeline(job_name=name, **self._arguments(launch)).run_id)

    def run(self, run_id: str) -> kfp_server_api.V2beta1Run:
        """Returns the present state of a run."""
        with self._errors_in_words():
            return self._client.get_run(run_id)

    def repeat(self, launch: Launch, name: str, cron: str, enabled: bool = True) -> None:
        """Creates a recurring run, in place of those of the same name.

        Args:
            launch: What to run.
            name: Name of the recurring run.
            cron: Six fields, see `six_fields`.
            enabled: Whether it starts runs from now on.
        """
        with self._errors_in_words():
            before = self.recurring(name)
            self._client.create_recurring_run(
                job_name=name,
                cron_expression=cron,
                no_catchup=True,  # Runs that were missed would all see the same data.
                enabled=enabled,
                **self._arguments(launch),
            )
            self.delete_recurring(before)

    def recurring(self, name: str | None = None) -> list[kfp_server_api.V2beta1RecurringRun]:
        """Returns the recurring runs, all or those of a name."""
        found: list[kfp_server_api.V2beta1RecurringRun] = []
        token = ""
        with self._errors_in_words():
            while True:
                page = self._client.list_recurring_runs(
                    page_token=token, page_size=100, namespace=self._namespace
                )
                found += page.recurring_runs or []
                token = page.next_page_token
                if not token:
                    return [run for run in found if name in (None, run.display_name)]

    def delete_recurring(self, runs: Iterable[kfp_server_api.V2beta1RecurringRun]) -> None:
        """Deletes recurring runs."""
        with self._errors_in_words():
            for run in runs:
                self._client.delete_recurring_run(run.recurring_run_id)

    def _arguments(self, launch: Launch) -> dict[str, Any]:
        group = self._client.create_experiment(launch.experiment, namespace=self._namespace)
        return {
            "experiment_id": group.experiment_id,
            "pipeline_id": launch.version.pipeline_id,
            "version_id": launch.version.pipeline_version_id,
            "pipeline_root": launch.pipeline_root,
            "service_account": launch.service_account,
        }

    def _require_health(self) -> None:
        # kfp.Client asks the same, but five times over 25 seconds, with a traceback for each.
        request = urllib.request.Request(f"{self._host}/apis/v2beta1/healthz")
        with self._errors_in_words():
            if self._token_file:
                token = self._token_file.read_text(encoding="utf-8").strip()
                request.add_unredirected_header("Authorization", f"Bearer {token}")
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
                is_api = "json" in answer.headers.get("Content-Type", "")
                health = json.load(answer) if is_api else {}
        if not is_api:
            raise ClusterError(
                f"{self._host} answers with a page in place of the Kubeflow Pipelines API. If it "
                "is a login, pass --token-file; otherwise add the path of Kubeflow Pipelines to "
                "--host, such as /pipeline."
            )
        if health.get("multi_user") and not self._namespace:
            raise ClusterError(f"{self._host} has a namespace for each user: pass --namespace.")

    @contextlib.contextmanager
    def _errors_in_words(self) -> Iterator[None]:
        try:
            yield
        except kfp_server_api.ApiException as error:
            raise self._refusal(error.status, error.reason, error.body or "") from error
        except urllib.error.HTTPError as error:
            body = error.read().decode(errors="replace")
            raise self._refusal(error.code, error.reason, body) from error
        except (OSError, urllib3.exceptions.HTTPError) as error:
            raise ClusterError(f"{self._host} cannot be asked: {error}.") from error

    def _refusal(self, status: int, reason: str, body: str) -> ClusterError:
        said = _message(body) or reason
        if status == 500 and _BAD_PIPELINE.search(said):
            return ClusterError(
                f"{self._host} cannot run the compiled pipeline: {said}. The fault is in the YAML; "
                "see it with 'python -m pipeline_def.kubeflow compile --output -'.",
                400,
            )
        advice = "."
        if status in (401, 403):
            advice = "; pass --token-file."
            if self._token_file:
                advice = f"; the token in {self._token_file} may have expired."
        return ClusterError(f"{self._host} answered {status}: {said}{advice}", status)


def unique_name(name: str) -> str:
    """Appends the time to a name: Kubernetes accepts lower-case letters, digits and hyphens."""
    return f"{name}-{datetime.datetime.now():%Y%m%d-%H%M%S-%f}"


def six_fields(cron: str) -> str:
    """Returns a cron expression as KFP takes it, with the seconds first.

    KFP reads five fields as well, but as seconds, minute, hour, …: "0 3 * * *" would run at three
    minutes past every hour (kubeflow/kubeflow#5306).

    Args:
        cron: Minute, hour, day of the month, month and day of the week.

    Raises:
        ValueError: There are more fields, or fewer.
    """
    if len(cron.split()) != 5:
        raise ValueError(
            "--cron: expected five fields, minute, hour, day of the month, month and day of the "
            f"week, such as '0 3 * * *'; found {cron!r}."
        )
    return f"0 {cron}"


def _address(host: str) -> str:
    parts = urllib.parse.urlsplit(host)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ClusterError(
            f"--host: expected an address such as https://kubeflow.example.com/pipeline, found "
            f"{host!r}."
        )
    return host.partition("#")[0].rstrip("/")  # A browser shows what page it is after a '#'.


def _named(name: str) -> str:
    """Returns a filter of the v2beta1 API, see backend/api/v2beta1/filter.proto."""
    predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
    return json.dumps({"predicates": [predicate]})


def _message(body: str) -> str:
    """Returns the text of an error: a google.rpc.Status, or what the upload handler writes."""
    try:
        answer = json.loads(body)
        said = answer.get("message") or answer.get("error_message") or ""
    except ValueError:
        said = "" if body.lstrip().startswith("<") else body  # A proxy's page tells no more.
    return " ".join(said.split()).rstrip(".")[:500]
