import http.server
import pathlib
import socket
import threading
from collections.abc import Iterator

import pytest
import yaml

from pipeline_def.kubeflow.client import Cluster, ClusterError, Launch, six_fields, unique_name
from tests.pipeline_def.kubeflow.server import KubeflowPipelines, RefusedError

SPEC = {
    "pipelineInfo": {"name": "reviews"},
    "schemaVersion": "2.1.0",
    "root": {"dag": {"tasks": {"Trainer": {"taskInfo": {"name": "Trainer"}}}}},
}
PIPELINE = yaml.safe_dump(SPEC)


@pytest.fixture
def server() -> Iterator[KubeflowPipelines]:
    with KubeflowPipelines() as running:
        yield running


def _start(cluster: Cluster) -> str:
    return cluster.start(Launch(cluster.upload(PIPELINE, "reviews")), "reviews-1")


def test_a_pipeline_is_uploaded_and_then_gets_versions(server: KubeflowPipelines) -> None:
    cluster = Cluster(server.host)
    first, second = cluster.upload(PIPELINE, "reviews"), cluster.upload(PIPELINE, "reviews")

    assert first.pipeline_id == second.pipeline_id
    ((key, versions),) = server.versions.items()
    assert key == ("", "reviews")
    assert [version["documents"] for version in versions] == [[SPEC], [SPEC]]
    assert [version["pipeline_version_id"] for version in versions] == [
        first.pipeline_version_id,
        second.pipeline_version_id,
    ]


def test_a_run_is_of_the_uploaded_version_and_has_what_was_asked_for(
    server: KubeflowPipelines,
) -> None:
    cluster = Cluster(server.host)
    cluster.upload(PIPELINE, "reviews")
    version = cluster.upload(PIPELINE, "reviews")
    run_id = cluster.start(Launch(version, "Words", "s3://bucket/root", "trainer"), "reviews-1")

    run = server.runs[run_id]
    assert run["pipeline_version_reference"] == {
        "pipeline_id": version.pipeline_id,
        "pipeline_version_id": version.pipeline_version_id,
    }
    assert run["runtime_config"]["pipeline_root"] == "s3://bucket/root"
    assert run["service_account"] == "trainer"
    assert cluster.run(run_id).state == "PENDING"


def test_each_user_has_a_namespace() -> None:
    with KubeflowPipelines(multi_user=True) as server:
        cluster = Cluster(server.host, namespace="anna")
        _start(cluster)
        _start(cluster)
        assert list(server.versions) == [("anna", "reviews")]
        with pytest.raises(ClusterError, match="pass --namespace"):
            Cluster(server.host)


def test_uploads_in_one_second_get_different_names() -> None:
    assert len({unique_name("reviews") for _ in range(100)}) == 100


def test_the_token_is_read_for_each_request(tmp_path: pathlib.Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("first\n")
    with KubeflowPipelines(token="first") as server:
        cluster = Cluster(server.host, token_file=token_file)
        run_id = _start(cluster)
        server.token = "second"
        with pytest.raises(ClusterError, match=f"answered 401: .*{token_file} may have expired"):
            cluster.run(run_id)
        token_file.write_text("second")
        assert cluster.run(run_id).run_id == run_id


def test_without_a_token_where_one_is_needed() -> None:
    with (
        KubeflowPipelines(token="secret") as server,
        pytest.raises(ClusterError, match=r"401: Request header.*pass --token-file") as raised,
    ):
        Cluster(server.host)
    assert raised.value.status == 401


def test_a_token_file_that_is_missing(server: KubeflowPipelines, tmp_path: pathlib.Path) -> None:
    with pytest.raises(ClusterError, match=r"No such file or directory: '.*none'"):
        Cluster(server.host, token_file=tmp_path / "none")


@pytest.mark.parametrize("shown", ["/#/runs", "/"])
def test_an_address_as_the_browser_shows_it(server: KubeflowPipelines, shown: str) -> None:
    _start(Cluster(f"{server.host}{shown}"))


@pytest.mark.parametrize("host", ["kubeflow.example.com", "localhost:8080", "https://"])
def test_what_is_no_address(host: str) -> None:
    with pytest.raises(ClusterError, match=f"--host: expected an address .* found '{host}'"):
        Cluster(host)


def test_nobody_listens() -> None:
    with socket.socket() as bound:  # And does not listen.
        bound.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{bound.getsockname()[1]}"
        with pytest.raises(ClusterError, match=f"^{host} cannot be asked: .*Connection refused"):
            Cluster(host)


def test_the_cluster_goes_away(server: KubeflowPipelines) -> None:
    cluster = Cluster(server.host)
    server.__exit__()
    with pytest.raises(ClusterError, match=r"cannot be asked: .*Connection refused") as raised:
        cluster.run("7")
    assert raised.value.status is None


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
        with pytest.raises(ClusterError, match="answers with a page in place of"):
            Cluster(f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def test_the_servers_own_words(server: KubeflowPipelines) -> None:
    cluster = Cluster(server.host)
    run_id = _start(cluster)
    server.history = [RefusedError(500, "The database is locked.")]
    with pytest.raises(ClusterError, match=rf"^{server.host} answered 500: The .* locked\.$"):
        cluster.run(run_id)


def test_what_an_upload_refuses(server: KubeflowPipelines) -> None:
    cluster = Cluster(server.host)
    older = yaml.safe_dump({**SPEC, "schemaVersion": "2.0.0"})
    with pytest.raises(ClusterError, match=r"KFP only supports schema version 2\.1\.0"):
        cluster.upload(older, "reviews")
    with pytest.raises(ClusterError, match=r"400: .*cannot exceed 128 characters"):
        cluster.upload(PIPELINE, "n" * 129)
    assert not server.versions


def _with(task: dict[str, object], kubernetes: dict[str, object]) -> str:
    """A pipeline of one task with such settings."""
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
    """The server takes the upload, and answers 500 when it is to run it."""
    cluster = Cluster(server.host)
    version = cluster.upload(pipeline, "reviews")
    with pytest.raises(ClusterError, match=f"cannot run the compiled pipeline: .*{said}") as raised:
        cluster.start(Launch(version), "reviews-1")
    assert raised.value.status == 400


def test_a_recurring_run_replaces_that_of_its_name(server: KubeflowPipelines) -> None:
    cluster = Cluster(server.host)
    launch = Launch(cluster.upload(PIPELINE, "reviews"), pipeline_root="s3://bucket/root")
    cluster.repeat(launch, "other", "0 0 * * * *")
    cluster.repeat(launch, "reviews", "0 0 3 * * *")
    cluster.repeat(launch, "reviews", "0 0 4 * * *", enabled=False)

    _, (recurring_run_id, run) = server.recurring.items()
    assert run["trigger"]["cron_schedule"]["cron"] == "0 0 4 * * *"
    assert run["runtime_config"]["pipeline_root"] == "s3://bucket/root"
    assert run["no_catchup"]
    listed = [(run.display_name, run.status) for run in cluster.recurring()]
    assert listed == [("other", "ENABLED"), ("reviews", "DISABLED")]

    cluster.delete_recurring(cluster.recurring("reviews"))
    assert recurring_run_id not in server.recurring
    assert len(server.recurring) == 1


def test_a_recurring_run_that_is_refused_leaves_the_one_before(server: KubeflowPipelines) -> None:
    cluster = Cluster(server.host)
    launch = Launch(cluster.upload(PIPELINE, "reviews"))
    cluster.repeat(launch, "reviews", "0 0 3 * * *")
    with pytest.raises(ClusterError, match="cron is not a valid"):
        cluster.repeat(launch, "reviews", "daily")
    assert len(server.recurring) == 1


def test_all_pages_of_recurring_runs_are_listed(server: KubeflowPipelines) -> None:
    cluster = Cluster(server.host)
    run = {"display_name": "reviews", "mode": "ENABLE", "trigger": {}}
    server.recurring = {str(number): run for number in range(250)}
    assert len(cluster.recurring()) == 250


def test_cron_expressions() -> None:
    assert six_fields("0 3 * * *") == "0 0 3 * * *"
    for cron in ("0 0 3 * * *", "@daily", ""):
        with pytest.raises(ValueError, match="--cron: expected five fields"):
            six_fields(cron)
