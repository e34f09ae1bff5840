import contextlib
import os
import pathlib
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator

import pytest
from ml_metadata.proto import metadata_store_pb2
from ml_metadata.proto.metadata_store_pb2 import PostgreSQLDatabaseConfig
from tfx.orchestration import metadata

from components.embedding_trainer.worker import free_port
from pipeline_def import metadata_store
from pipeline_def.config import ConfigError, PipelineConfig

PASSWORD = "a secret"
STARTUP_SECONDS = 60

HomeOf = Callable[[str], pathlib.Path]


@pytest.fixture(autouse=True)
def one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets TFX try to connect once; ten attempts take five seconds."""
    monkeypatch.setattr(metadata, "_MAX_INIT_RETRY", 1)


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
    """Yields a function that makes a directory owned by a user; pytest's are owned by root."""
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


def configured(output: pathlib.Path, **database: object) -> PipelineConfig:
    where = {"host": "127.0.0.1", "database": "lineage", "user": "tfx"}
    password = {"password_variable": "LINEAGE_PASSWORD"}
    return PipelineConfig.model_validate(
        {
            "name": "own",
            "output_dir": str(output),
            "dataset": {"name": "own_reviews"},
            "evaluation": {"min_accuracy": 0.5},
            "metadata": {**where, **password, **database} if database else None,
        }
    )


def refusal(config: PipelineConfig) -> str:
    connection = metadata_store.connection_config(config)
    with pytest.raises(ConfigError) as refused:
        metadata_store.require_usable(config, connection)
    return str(refused.value)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_lineage_is_kept_in_a_database(
    kind: str,
    request: pytest.FixtureRequest,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    port = request.getfixturevalue(kind)
    monkeypatch.setenv("LINEAGE_PASSWORD", PASSWORD)
    config = configured(tmp_path, kind=kind, port=port)
    connection = metadata_store.connection_config(config)
    metadata_store.require_usable(config, connection)
    kept = metadata_store_pb2.ArtifactType(name="Kept")
    with metadata.Metadata(connection) as first:
        first.store.put_artifact_type(kept)
    with metadata.Metadata(connection) as second:
        assert second.store.get_artifact_type("Kept").name == "Kept"

    monkeypatch.setenv("LINEAGE_PASSWORD", "another secret")
    refused = refusal(config)
    assert f"'lineage' for ML Metadata at 127.0.0.1:{port}, user 'tfx'" in refused
    assert "the server refuses the user, the password or the database" in refused
    printed = capfd.readouterr()
    assert "secret" not in refused + printed.out + printed.err


@pytest.mark.parametrize("kind", ["mysql", "postgresql"])
def test_a_database_that_is_down_is_called_that(
    kind: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAGE_PASSWORD", PASSWORD)
    port = free_port()
    refused = refusal(configured(tmp_path, kind=kind, port=port))
    assert f"The {kind} database 'lineage' for ML Metadata at 127.0.0.1:{port}" in refused
    assert "there is no server (Connection refused)" in refused
    assert "secret" not in refused


def test_each_setting_of_a_postgresql_database_has_its_place(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAGE_PASSWORD", r"it's a \ secret")
    config = configured(tmp_path, kind="postgresql", port=5433)
    assert metadata_store.connection_config(config).postgresql == PostgreSQLDatabaseConfig(
        host="127.0.0.1",
        port="5433",
        dbname="lineage",
        user="tfx",
        password=r"'it\'s a \\ secret'",
    )


def test_a_missing_password_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match="no variable LINEAGE_PASSWORD"):
        metadata_store.connection_config(configured(tmp_path, kind="mysql", port=3306))


def pipelines(config: PipelineConfig, *names: str) -> pathlib.Path:
    """Records the contexts of pipelines in a store, as TFX does; returns the store's file."""
    config.root.mkdir(exist_ok=True)
    with metadata.Metadata(metadata_store.connection_config(config)) as connected:
        kind = connected.store.put_context_type(metadata_store_pb2.ContextType(name="pipeline"))
        connected.store.put_contexts(
            [metadata_store_pb2.Context(type_id=kind, name=name) for name in names]
        )
    return config.root / "metadata.sqlite"


@pytest.fixture
def config(tmp_path: pathlib.Path) -> PipelineConfig:
    """Returns the configuration of a pipeline with its store in a file."""
    return configured(tmp_path)


def test_artifacts_of_another_store_are_refused(config: PipelineConfig) -> None:
    artifacts = config.root / "artifacts"
    (artifacts / "TfdsExampleGen").mkdir(parents=True)
    assert f"{artifacts} holds artifacts, but the ML Metadata store has no run" in refusal(config)
    pipelines(config, "another")
    assert "no run of the pipeline 'own'" in refusal(config)
    pipelines(config, "own")
    metadata_store.require_usable(config, metadata_store.connection_config(config))


@pytest.mark.parametrize("made", [False, True])
def test_a_new_pipeline_may_have_a_new_store(made: bool, config: PipelineConfig) -> None:
    config.root.mkdir()
    if made:
        (config.root / "artifacts").mkdir()
    metadata_store.require_usable(config, metadata_store.connection_config(config))


def overwrite(file: pathlib.Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[:4096] + b"x" * 8192 + content[12288:])


def replace_by_directory(file: pathlib.Path) -> None:
    file.unlink()
    file.mkdir()


def drop_a_table(file: pathlib.Path) -> None:
    with contextlib.closing(sqlite3.connect(file)) as store, store:
        store.execute("drop table Context")


@pytest.mark.parametrize(
    "damage",
    [
        overwrite,
        lambda file: file.write_bytes(file.read_bytes()[:-4096] + b"x" * 4096),
        lambda file: file.write_bytes(b"no database" * 1000),
        lambda file: file.write_bytes(file.read_bytes()[:20000]),
        replace_by_directory,
        drop_a_table,
    ],
    ids=[
        "overwritten",
        "overwritten at its end",
        "another file",
        "truncated",
        "a directory",
        "without a table",
    ],
)
def test_a_damaged_file_is_named(
    damage: Callable[[pathlib.Path], None], config: PipelineConfig
) -> None:
    file = pipelines(config, "own")
    damage(file)
    refused = refusal(config)
    assert refused.startswith(f"The ML Metadata store {file} cannot be used: ")
    assert f"move {config.root} away" in refused


def test_a_read_only_file_is_named(config: PipelineConfig) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root, to mount a file")
    file = pipelines(config, "own")
    subprocess.run(["mount", "--bind", "-o", "ro", file, file], check=True)
    try:
        assert f"{file} cannot be used: [Errno 30] Read-only file system" in refusal(config)
    finally:
        subprocess.run(["umount", file], check=True)


def test_a_locked_file_is_named(config: PipelineConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    file = pipelines(config, "own")
    monkeypatch.setattr(metadata_store, "_LOCK_SECONDS", 0.1)
    script = """
import sqlite3, sys
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("begin immediate")
print("locked", flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", script, str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as locking:
        assert locking.stdout
        locking.stdout.readline()
        assert f"{file} cannot be used: database is locked" in refusal(config)
        locking.communicate()
    metadata_store.require_usable(config, metadata_store.connection_config(config))


@pytest.mark.parametrize("version", [1, 1000])
def test_a_file_of_another_version_is_named_with_two_ways_out(
    version: int, config: PipelineConfig
) -> None:
    file = pipelines(config, "own")
    with contextlib.closing(sqlite3.connect(file)) as store, store:
        store.execute("update MLMDEnv set schema_version = ?", [version])
    refused = refusal(config)
    assert f"The ML Metadata file {file} is of another version" in refused
    assert "Run the pipeline with the Python and TFX that wrote it, or start anew" in refused
    assert f"move {config.root} away" in refused
