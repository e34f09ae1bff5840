import contextlib
import http.server
import json
import pathlib
import threading
from collections.abc import Iterator

import pytest
from apache_beam.options.pipeline_options import FlinkRunnerOptions

from components.embedding_trainer.worker import free_port
from pipeline_def import remote_workers
from pipeline_def.config import ConfigError, PipelineConfig, load

KNOWN = FlinkRunnerOptions.PUBLISHED_FLINK_VERSIONS[-1]


def config(directory: pathlib.Path, runner: str, *arguments: str) -> PipelineConfig:
    return load(
        {
            "PIPELINE__OUTPUT_DIR": str(directory),
            "PIPELINE__DATASET__DATA_DIR": str(directory / "tfds"),
            "PIPELINE__BEAM__RUNNER": runner,
            "PIPELINE__BEAM__PIPELINE_ARGS": json.dumps(arguments),
        }
    )


@contextlib.contextmanager
def flink(version: str) -> Iterator[str]:
    """Starts a server that tells a version as Flink's REST interface does; yields its address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/v1/config"
            self.send_response(200 if found else 404)
            self.end_headers()
            self.wfile.write(json.dumps({"flink-version": version}).encode() if found else b"")

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("localhost", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"localhost:{server.server_address[1]}"
        server.shutdown()


def test_nothing_is_asked_of_this_machine(tmp_path: pathlib.Path) -> None:
    remote_workers.require_workers(config(tmp_path, "local"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("runner", "argument"), [("portable", "--job_endpoint"), ("flink", "--flink_master")]
)
def test_a_runner_that_does_not_answer_is_named(
    runner: str, argument: str, tmp_path: pathlib.Path
) -> None:
    address = f"{argument}=localhost:{free_port()}"
    with pytest.raises(ConfigError, match=f"answers at {address}"):
        remote_workers.require_workers(config(tmp_path, runner, address))


def test_a_flink_version_that_beam_does_not_know_is_refused(tmp_path: pathlib.Path) -> None:
    with (
        flink("9.1.2") as address,
        pytest.raises(ConfigError, match=rf"runs Flink 9\.1\.2, .* has runners for .*{KNOWN}"),
    ):
        remote_workers.require_workers(config(tmp_path, "flink", f"--flink_master={address}"))


def test_the_version_of_the_cluster_must_be_given(tmp_path: pathlib.Path) -> None:
    older = FlinkRunnerOptions.PUBLISHED_FLINK_VERSIONS[0]
    with (
        flink(f"{older}.4") as address,
        pytest.raises(ConfigError, match=f"Add --flink_version={older} to beam.pipeline_args"),
    ):
        remote_workers.require_workers(config(tmp_path, "flink", f"--flink_master={address}"))


def test_the_missing_jar_is_named_by_its_coordinates(tmp_path: pathlib.Path) -> None:
    with (
        flink(f"{KNOWN}.1") as address,
        pytest.raises(ConfigError, match=f"beam-runners-flink-{KNOWN}-job-server:"),
    ):
        remote_workers.require_workers(config(tmp_path, "flink", f"--flink_master={address}"))


def test_workers_of_other_code_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    here = remote_workers._installation()
    remote_workers._require_same_installation({"host-a": here})
    with pytest.raises(ConfigError, match=r"worker host-b has TensorFlow 0\.1, and"):
        remote_workers._require_same_installation(
            {"host-a": here, "host-b": {**here, "TensorFlow": "0.1"}}
        )


def test_workers_must_have_the_code_of_each_step_that_uses_beam(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote_workers, "source_digest", str)
    code = remote_workers._installation()["code"]
    assert set(code.split("-")) == {
        "components.tfds_example_gen.executor",
        "components.text.preprocessing",
        "components.evaluation",
    }


def test_a_worker_tells_its_installation_and_misses_the_data(tmp_path: pathlib.Path) -> None:
    remote_workers.look_around(0, str(tmp_path), str(tmp_path))
    (told,) = tmp_path.iterdir()
    assert json.loads(told.read_text()) == remote_workers._installation()
    with pytest.raises(FileNotFoundError, match="has no directory"):
        remote_workers.look_around(0, str(tmp_path), str(tmp_path / "missing"))
