"""Asks a Kubeflow Pipelines installation, and says in a sentence why it denies something."""

import contextlib
import datetime
import http.client
import io
import json
import logging
import os
import pathlib
import re
import socket
import ssl
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Iterator, Mapping

import kfp
import kfp_server_api
import urllib3
from kfp.client import set_volume_credentials

_TIMEOUT_SECONDS = 30
_HEALTH = "/apis/v2beta1/healthz"


class ClusterError(Exception):
    """What a cluster denies, or why it cannot be asked.

    Attributes:
        status: The HTTP status of its answer; None if there was none.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Cluster:
    """A Kubeflow Pipelines installation, asked by one user in one namespace.

    Attributes:
        host: Its address.
        namespace: Where the user's pipelines and runs are; None if it has no namespaces.
    """

    def __init__(
        self, host: str, namespace: str | None = None, token_file: pathlib.Path | None = None
    ) -> None:
        """Makes sure that it answers.

        Args:
            host: Its address, such as https://kubeflow.example.com/pipeline.
            namespace: The Kubernetes namespace of the user, if each has their own.
            token_file: A file with a bearer token, read anew for each request, as tokens expire.

        Raises:
            ClusterError: It cannot be reached, is something else, does not let the user in, or
                wants to know the namespace.
        """
        self.host = _address(host)
        self.namespace = namespace
        self._token_file = token_file
        self._require_health()
        credentials = None
        if token_file:
            credentials = set_volume_credentials.ServiceAccountTokenVolumeCredentials(
                str(token_file)
            )
        with self._asking():
            self._client = kfp.Client(
                host=self.host,
                namespace=namespace or "kubeflow",  # kfp takes this one for none.
                credentials=credentials,
                proxy=_proxy(self.host),
                ssl_ca_cert=ssl.get_default_verify_paths().cafile,
            )

    def upload(self, pipeline: str, name: str) -> kfp_server_api.V2beta1PipelineVersion:
        """Uploads a pipeline, as a new version if there is one of its name.

        Args:
            pipeline: The compiled pipeline, YAML.
            name: Its name.

        Returns:
            The version.

        Raises:
            ClusterError: The cluster does not take it.
        """
        with self._asking(), tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, f"{name}.yaml")
            pathlib.Path(path).write_text(pipeline, encoding="utf-8")
            found = self._client.list_pipelines(
                filter=_named(name), namespace=self.namespace
            ).pipelines
            if found:
                return self._client.upload_pipeline_version(
                    path, unique_name(name), pipeline_id=found[0].pipeline_id
                )
            new = self._client.upload_pipeline(path, name, namespace=self.namespace)
            return self._client.list_pipeline_versions(new.pipeline_id).pipeline_versions[0]

    def start(
        self,
        version: kfp_server_api.V2beta1PipelineVersion,
        name: str,
        experiment: str = "Default",
        pipeline_root: str | None = None,
        service_account: str | None = None,
    ) -> str:
        """Starts a run.

        Args:
            version: What to run.
            name: How the run is called.
            experiment: Name of the experiment that the run belongs to, made if there is none.
            pipeline_root: URI of a directory for the outputs; None: where the pipeline or the
                cluster says.
            service_account: The Kubernetes service account of the steps; None: the cluster's
                default.

        Returns:
            The id of the run.

        Raises:
            ClusterError: The cluster does not start it.
        """
        with self._asking():
            group = self._client.create_experiment(experiment, namespace=self.namespace)
            run = self._client.run_pipeline(
                group.experiment_id,
                name,
                pipeline_id=version.pipeline_id,
                version_id=version.pipeline_version_id,
                pipeline_root=pipeline_root,
                service_account=service_account,
            )
            return str(run.run_id)

    def run(self, run_id: str) -> kfp_server_api.V2beta1Run:
        """Looks at a run.

        Args:
            run_id: Its id.

        Returns:
            What the cluster knows of it.

        Raises:
            ClusterError: There is no such run, or no answer.
        """
        try:
            with self._asking():
                return self._client.get_run(run_id)
        except ClusterError as error:
            if error.status != 404:
                raise
            raise ClusterError(
                f"{self.host} has no run {run_id}: it was deleted, or the id is another one. "
                "It is the last part of the run's link.",
                404,
            ) from error

    def link(self, *path: str) -> str:
        """Makes the address of a page for people.

        Args:
            path: Its parts, such as 'runs', 'details' and an id.

        Returns:
            A URL.
        """
        return "/".join((self.host, "#", *path))

    def open(
        self, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> http.client.HTTPResponse:
        """Asks for what kfp's client has no method for.

        Args:
            path: Path and query.
            body: What to post; None: the request is a GET.
            headers: Further headers of the request.

        Returns:
            The answer, open.

        Raises:
            ClusterError: The cluster denies it.
        """
        request = urllib.request.Request(f"{self.host}{path}", body, dict(headers or {}))
        if self._token_file:  # Not for the host that an answer may redirect to.
            request.add_unredirected_header("Authorization", f"Bearer {_read(self._token_file)}")
        with self._asking():
            answer = urllib.request.urlopen(request)
            assert isinstance(answer, http.client.HTTPResponse)
            return answer

    def _require_health(self) -> None:
        with self.open(_HEALTH) as answer:
            content = answer.read()
        try:
            health = json.loads(content)
        except ValueError as error:
            raise ClusterError(
                f"{self.host} answers with a page in place of the Kubeflow Pipelines API. "
                "If it is a login, pass --token-file; otherwise add the path of Kubeflow Pipelines "
                "to --host, such as /pipeline."
            ) from error
        if health.get("multi_user") and not self.namespace:
            raise ClusterError(f"{self.host} has a namespace for each user: pass --namespace.")

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """Quiets kfp's client, keeps it from waiting for ever and puts its errors into words."""
        timeout = socket.getdefaulttimeout()
        socket.setdefaulttimeout(_TIMEOUT_SECONDS)  # kfp's client takes none.
        chatter = logging.getLogger("urllib3.connectionpool")  # A warning for each attempt.
        level = chatter.level
        chatter.setLevel(logging.ERROR)
        try:
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
                warnings.simplefilter("ignore")
                yield
        except kfp_server_api.ApiException as error:
            raise self._denied(error.status, error.reason, error.body or "") from error
        except urllib.error.HTTPError as error:
            body = error.read().decode(errors="replace")
            raise self._denied(error.code, error.reason, body) from error
        except (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError) as error:
            raise ClusterError(f"{self.host} cannot be reached: {_cause(error)}.") from error
        finally:
            chatter.setLevel(level)
            socket.setdefaulttimeout(timeout)

    def _denied(self, status: int, reason: str, body: str) -> ClusterError:
        said = _message(body)
        if status in (401, 403):
            fault = "does not know you" if status == 401 else "does not allow this"
            advice = (
                f"the token in {self._token_file} may have expired"
                if self._token_file
                else "pass --token-file"
            )
            return ClusterError(f"{self.host} {fault} ({status}{said}); {advice}.", status)
        return ClusterError(f"{self.host} answered {status} {reason}{said}.", status)


def unique_name(name: str) -> str:
    """Appends the time to a name: Kubernetes takes lower-case letters, digits and hyphens."""
    return f"{name}-{datetime.datetime.now():%Y%m%d-%H%M%S}"


def _address(host: str) -> str:
    parts = urllib.parse.urlsplit(host)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ClusterError(
            f"--host: {host!r} is no address; expected one such as "
            "https://kubeflow.example.com/pipeline."
        )
    return host.partition("#")[0].rstrip("/")  # As a browser shows it.


def _proxy(host: str) -> str | None:
    """Finds the proxy that urllib takes to a host: kfp's client looks for none by itself."""
    parts = urllib.parse.urlsplit(host)
    if urllib.request.proxy_bypass(parts.netloc):
        return None
    return urllib.request.getproxies().get(parts.scheme)


def _read(token_file: pathlib.Path) -> str:
    try:
        return token_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ClusterError(f"--token-file: {token_file} cannot be read: {error}.") from error


def _named(name: str) -> str:
    """A filter of the v2beta1 API, see backend/api/v2beta1/filter.proto of kubeflow/pipelines."""
    predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
    return json.dumps({"predicates": [predicate]})


def _message(body: str) -> str:
    """Finds the server's own words: a google.rpc.Status, or that of its upload handler."""
    try:
        answer = json.loads(body)
    except ValueError:
        said = "" if body.lstrip().startswith("<") else body  # A proxy's page says no more.
    else:
        said = answer.get("message") or answer.get("error_message") or ""
    said = " ".join(said.split()).rstrip(".")
    return f": {said[:500]}" if said else ""


def _cause(error: BaseException) -> str:
    while isinstance(reason := getattr(error, "reason", None), BaseException):
        error = reason
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"{error.verify_message}. Set SSL_CERT_FILE to a file with the certificate of the "
            "authority that signed for it"
        )
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return re.sub(r"^<[^>]*>: ", "", said)  # urllib3 begins with the connection's repr.
