import http.server
import pathlib
import threading
from collections.abc import Callable

import kfp_server_api
import pytest
import yaml

from pipeline_def.kubeflow.client import Client, refusal
from tests.pipeline_def.kubeflow.server import KubeflowPipelines, RefusedError

SPEC = {
    "pipelineInfo": {"name": "reviews"},
    "schemaVersion": "2.1.0",
    "root": {"dag": {"tasks": {"Trainer": {"taskInfo": {"name": "Trainer"}}}}},
}
PIPELINE = yaml.safe_dump(SPEC)


def start(client: Client, pipeline: str = PIPELINE) -> str:
    arguments = client.arguments(client.upload(pipeline, "reviews"))
    return str(client.run_pipeline(job_name="reviews-1", **arguments).run_id)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(kfp_server_api.ApiException) as caught:
        call()
    return refusal(caught.value)


def test_a_pipeline_is_uploaded_and_then_gets_versions(server: KubeflowPipelines) -> None:
    """Versions that are uploaded within one second have different names, too."""
    client = Client(server.host)
    uploaded = [client.upload(PIPELINE, "reviews") for _ in range(3)]

    assert len({version.pipeline_id for version in uploaded}) == 1
    ((key, versions),) = server.versions.items()
    assert key == ("", "reviews")
    assert [version["documents"] for version in versions] == [[SPEC]] * 3
    assert [version["pipeline_version_id"] for version in versions] == [
        version.pipeline_version_id for version in uploaded
    ]


def test_a_run_is_of_the_uploaded_version_and_has_what_was_asked_for(
    server: KubeflowPipelines,
) -> None:
    client = Client(server.host)
    client.upload(PIPELINE, "reviews")
    version = client.upload(PIPELINE, "reviews")
    arguments = client.arguments(version, "Words", "s3://bucket/root", "trainer")
    run_id = client.run_pipeline(job_name="reviews-1", **arguments).run_id

    run = server.runs[run_id]
    assert run["pipeline_version_reference"] == {
        "pipeline_id": version.pipeline_id,
        "pipeline_version_id": version.pipeline_version_id,
    }
    assert run["runtime_config"]["pipeline_root"] == "s3://bucket/root"
    assert run["service_account"] == "trainer"
    assert client.get_run(run_id).state == "PENDING"


def test_each_user_has_a_namespace() -> None:
    with KubeflowPipelines(multi_user=True) as server:
        client = Client(server.host, namespace="anna")
        start(client)
        start(client)
        assert list(server.versions) == [("anna", "reviews")]
        assert client.recurring() == []
        with pytest.raises(ValueError, match=r"^--namespace: is required"):
            Client(server.host)


def test_the_token_is_read_for_each_request(tmp_path: pathlib.Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("first\n")
    with KubeflowPipelines(token="first") as server:
        client = Client(server.host, token_file=token_file)
        run_id = start(client)
        server.token = "second"
        said = refused(lambda: client.get_run(run_id))
        assert said.startswith("answered 401: Request header error: there is no user")
        assert said.endswith(". Pass --token-file with a token of yours that has not expired.")
        token_file.write_text("second")
        assert client.get_run(run_id).run_id == run_id


def test_certificates_of_ones_own_are_used(
    server: KubeflowPipelines, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.pem").touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.pem"))
    api = Client(server.host)._healthz_api.api_client
    assert api.configuration.ssl_ca_cert == str(tmp_path / "own.pem")


def test_without_a_token_where_one_is_needed() -> None:
    """Fails at once; kfp alone would ask five times in 25 seconds and lose the server's answer."""
    with KubeflowPipelines(token="secret") as server:
        assert "answered 401: " in refused(lambda: Client(server.host))


@pytest.mark.parametrize("shown", ["/#/runs", "/"])
def test_an_address_as_the_browser_shows_it(server: KubeflowPipelines, shown: str) -> None:
    start(Client(f"{server.host}{shown}"))


def test_a_login_page_in_place_of_the_api() -> None:
    class Login(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html>Log in to Dex</html>")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Login) as server:
        threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
        with pytest.raises(ValueError, match=r"^--host: a page answers, not the Kubeflow"):
            Client(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def test_the_servers_own_words(server: KubeflowPipelines) -> None:
    client = Client(server.host)
    run_id = start(client)
    server.history = [RefusedError(500, "The database is locked.")]
    assert refused(lambda: client.get_run(run_id)) == "answered 500: The database is locked."


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (None, "Bad Gateway"),
        ("<html>502</html>", "Bad Gateway"),
        ("[]", "[]"),
        ("upstream\n  reset", "upstream reset"),
        ('{"error_message": "No space.", "error_details": "x"}', "No space"),
    ],
)
def test_what_a_proxy_says(body: str | None, said: str) -> None:
    error = kfp_server_api.ApiException(status=502, reason="Bad Gateway")
    error.body = body
    assert refusal(error) == f"answered 502: {said}."


def test_what_an_upload_refuses(server: KubeflowPipelines) -> None:
    client = Client(server.host)
    older = yaml.safe_dump({**SPEC, "schemaVersion": "2.0.0"})
    said = refused(lambda: client.upload(older, "reviews"))
    assert said == "answered 400: KFP only supports schema version 2.1.0."
    said = refused(lambda: client.upload(PIPELINE, "n" * 129))
    assert said.endswith("cannot exceed 128 characters.")
    assert not server.versions


def _with(task: dict[str, object], kubernetes: dict[str, object]) -> str:
    """Returns a pipeline of one task with these Kubernetes settings."""
    spec = {**SPEC, "root": {"dag": {"tasks": {"Trainer": task}}}}
    executors = {"exec-Trainer": kubernetes}
    platform = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}
    return yaml.safe_dump_all([spec, platform])


@pytest.mark.parametrize(
    ("pipeline", "said"),
    [
        (_with({"dependentTasks": ["Trainer"]}, {}), "Failed to validate workflow"),
        (_with({}, {"toleration": []}), "unknown field 'toleration'"),
    ],
    ids=["cycle", "unknown Kubernetes field"],
)
def test_a_fault_of_the_pipeline_is_no_failure_of_the_server(
    server: KubeflowPipelines, pipeline: str, said: str
) -> None:
    """The server accepts the upload, and answers 500 to the request for a run."""
    client = Client(server.host)
    client.upload(pipeline, "reviews")
    answer = refused(lambda: start(client, pipeline))
    assert answer.startswith("cannot run the compiled pipeline: ")
    assert said in answer


def test_a_recurring_run_replaces_that_of_its_name(server: KubeflowPipelines) -> None:
    client = Client(server.host)
    arguments = client.arguments(client.upload(PIPELINE, "reviews"), pipeline_root="s3://a/root")
    client.repeat("other", "0 0 * * * *", True, arguments)
    client.repeat("reviews", "0 0 3 * * *", True, arguments)
    client.repeat("reviews", "0 0 4 * * *", False, arguments)

    _, run = server.recurring.values()
    assert run["trigger"]["cron_schedule"]["cron"] == "0 0 4 * * *"
    assert run["runtime_config"]["pipeline_root"] == "s3://a/root"
    assert run["no_catchup"]
    listed = [(run.display_name, run.status) for run in client.recurring()]
    assert listed == [("other", "ENABLED"), ("reviews", "DISABLED")]


def test_a_recurring_run_that_is_refused_leaves_the_one_before(server: KubeflowPipelines) -> None:
    client = Client(server.host)
    arguments = client.arguments(client.upload(PIPELINE, "reviews"))
    client.repeat("reviews", "0 0 3 * * *", True, arguments)
    said = refused(lambda: client.repeat("reviews", "0 0 25 * * *", True, arguments))
    assert "cron is not a valid" in said
    (run,) = server.recurring.values()
    assert run["trigger"]["cron_schedule"]["cron"] == "0 0 3 * * *"


def test_all_pages_of_recurring_runs_are_listed(server: KubeflowPipelines) -> None:
    client = Client(server.host)
    run = {"display_name": "reviews", "mode": "ENABLE", "trigger": {}}
    server.recurring = {str(number): run for number in range(250)}
    assert len(client.recurring()) == 250
