import os
import pathlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata

from pipeline_def.config import load
from pipeline_def.pipeline import metadata_connection

PASSWORD = "a secret"
STARTUP_SECONDS = 60


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def run_as(user: str, *command: str) -> None:
    subprocess.run(["runuser", "-u", user, "--", *command], check=True, capture_output=True)


def wait_until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    while not ready():
        assert time.monotonic() < deadline, "the database server did not start"
        time.sleep(0.2)


@pytest.fixture
def mysql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    if not shutil.which("mariadbd") or os.getuid() != 0:
        pytest.skip("needs root and Debian's mariadb-server")
    with_user = pathlib.Path("/tmp") / tmp_path_factory.mktemp("mysql").name
    with_user.mkdir()
    shutil.chown(with_user, "mysql")
    data, sock, port = f"{with_user}/data", f"{with_user}/socket", free_port()
    run_as("mysql", "mariadb-install-db", f"--datadir={data}")
    server = subprocess.Popen(
        [
            *("runuser", "-u", "mysql", "--", "mariadbd", f"--datadir={data}"),
            *(f"--socket={sock}", f"--port={port}", "--bind-address=127.0.0.1"),
        ],
        stderr=subprocess.DEVNULL,
    )
    client = ["runuser", "-u", "mysql", "--", "mariadb", f"--socket={sock}"]
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
    shutil.rmtree(with_user)


@pytest.fixture
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    programs = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs or os.getuid() != 0:
        pytest.skip("needs root and Debian's postgresql")
    with_user = pathlib.Path("/tmp") / tmp_path_factory.mktemp("postgresql").name
    with_user.mkdir()
    shutil.chown(with_user, "postgres")
    (with_user / "password").write_text(PASSWORD)
    data, port = f"{with_user}/data", free_port()
    initdb, control = str(programs[-1] / "initdb"), str(programs[-1] / "pg_ctl")
    options = ["-U", "tfx", "-A", "scram-sha-256", f"--pwfile={with_user}/password"]
    run_as("postgres", initdb, "-D", data, *options)
    listen = f"-p {port} -k {with_user}"
    run_as("postgres", control, "-D", data, "-l", f"{with_user}/log", "-o", listen, "-w", "start")
    yield port
    run_as("postgres", control, "-D", data, "-m", "immediate", "stop")
    shutil.rmtree(with_user)


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
    return metadata_connection(load({"PIPELINE_CONFIG": str(path)}))


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
