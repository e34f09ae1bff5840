import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata

from pipeline_def import metadata_store
from pipeline_def.config import ConfigError, load

PASSWORD = "a secret"
STARTUP_SECONDS = 60

HomeOf = Callable[[str], pathlib.Path]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def run_as(user: str, *command: str) -> None:
    subprocess.run(
        command,
        user=user,
        group=user,
        cwd="/",
        env={**os.environ, "TMPDIR": "/tmp"},
        check=True,
        capture_output=True,
    )


def wait_until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    while not ready():
        assert time.monotonic() < deadline, "the database server did not start"
        time.sleep(0.2)


@pytest.fixture
def home_of() -> Iterator[HomeOf]:
    """Makes a directory of a user's own; pytest's belong to root alone."""
    with contextlib.ExitStack() as stack:

        def make(user: str) -> pathlib.Path:
            home = stack.enter_context(tempfile.TemporaryDirectory(dir="/tmp"))
            shutil.chown(home, user)
            return pathlib.Path(home)

        yield make


@pytest.fixture
def mysql(home_of: HomeOf) -> Iterator[int]:
    if not shutil.which("mariadbd") or os.getuid() != 0:
        pytest.skip("needs root and Debian's mariadb-server")
    home = home_of("mysql")
    passwordless = ["--auth-root-authentication-method=normal"]
    data, sock, port = f"{home}/data", f"{home}/socket", free_port()
    run_as("mysql", "mariadb-install-db", f"--datadir={data}", *passwordless)
    where = [f"--socket={sock}", f"--port={port}", f"--tmpdir={home}", "--bind-address=127.0.0.1"]
    server = subprocess.Popen(
        ["mariadbd", f"--datadir={data}", *where], user="mysql", stderr=subprocess.DEVNULL
    )
    client = ["mariadb", f"--socket={sock}", "--user=root"]
    wait_until(lambda: subprocess.run([*client, "-e", ""], capture_output=True).returncode == 0)
    statements = (
        "create database lineage;"
        f"create user tfx@localhost identified by '{PASSWORD}';"
        "grant all on lineage.* to tfx@localhost;"
    )
    subprocess.run([*client, "-e", statements], check=True)
    yield port
    server.terminate()
    server.wait()


@pytest.fixture
def postgresql(home_of: HomeOf) -> Iterator[int]:
    programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs or os.getuid() != 0:
        pytest.skip("needs root and Debian's postgresql")
    home = home_of("postgres")
    (home / "password").write_text(PASSWORD)
    data, port = f"{home}/data", free_port()
    initdb, control = str(programs[-1] / "initdb"), str(programs[-1] / "pg_ctl")
    options = ["-U", "tfx", "-A", "scram-sha-256", f"--pwfile={home}/password"]
    run_as("postgres", initdb, "-D", data, *options)
    listen = f"-p {port} -k {home}"
    run_as("postgres", control, "-D", data, "-l", f"{home}/log", "-o", listen, "-w", "start")
    yield port
    run_as("postgres", control, "-D", data, "-m", "immediate", "stop")


def connection_to(kind: str, port: int, tmp_path: pathlib.Path) -> object:
    path = tmp_path / "own.yaml"
    path.write_text(f"""
name: own
dataset: {{name: own_reviews}}
evaluation: {{min_accuracy: 0.5}}
metadata:
  kind: {kind}
  host: 127.0.0.1
  port: {port}
  database: lineage
  user: tfx
  password_variable: LINEAGE_PASSWORD
""")
    return metadata_store.connection_config(load({"PIPELINE_CONFIG": str(path)}))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_lineage_is_kept_in_a_database(
    kind: str,
    request: pytest.FixtureRequest,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LINEAGE_PASSWORD", PASSWORD)
    connection = connection_to(kind, request.getfixturevalue(kind), tmp_path)
    kept = metadata_store_pb2.ArtifactType(name="Kept")
    with metadata.Metadata(connection) as first:
        first.store.put_artifact_type(kept)
    with metadata.Metadata(connection) as second:
        assert second.store.get_artifact_type("Kept").name == "Kept"


def test_a_missing_password_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="no variable LINEAGE_PASSWORD"):
        connection_to("mysql", 3306, tmp_path)


def pipelines(connection: metadata_store_pb2.ConnectionConfig, *names: str) -> None:
    """Puts pipelines into a store, as TFX's compiler names their contexts."""
    with metadata.Metadata(connection) as connected:
        kind = connected.store.put_context_type(metadata_store_pb2.ContextType(name="pipeline"))
        connected.store.put_contexts(
            [metadata_store_pb2.Context(type_id=kind, name=name) for name in names]
        )


@pytest.fixture
def sqlite(tmp_path: pathlib.Path) -> metadata_store_pb2.ConnectionConfig:
    return metadata.sqlite_metadata_connection_config(str(tmp_path / "metadata.sqlite"))


def test_artifacts_of_another_store_are_refused(
    tmp_path: pathlib.Path, sqlite: metadata_store_pb2.ConnectionConfig
) -> None:
    artifacts = tmp_path / "artifacts"
    (artifacts / "TfdsExampleGen").mkdir(parents=True)
    with pytest.raises(ConfigError, match=f"^{artifacts} holds artifacts, but .* 'own'"):
        metadata_store.require_store_of("own", artifacts, sqlite)
    pipelines(sqlite, "another")
    with pytest.raises(ConfigError):
        metadata_store.require_store_of("own", artifacts, sqlite)
    pipelines(sqlite, "own")
    metadata_store.require_store_of("own", artifacts, sqlite)


@pytest.mark.parametrize("made", [False, True])
def test_a_new_pipeline_needs_no_store(
    made: bool, tmp_path: pathlib.Path, sqlite: metadata_store_pb2.ConnectionConfig
) -> None:
    artifacts = tmp_path / "artifacts"
    if made:
        artifacts.mkdir()
    metadata_store.require_store_of("own", artifacts, sqlite)
    assert not (tmp_path / "metadata.sqlite").exists()
