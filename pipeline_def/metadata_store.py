"""Chooses and checks the ML Metadata store of a pipeline."""

import contextlib
import os
import pathlib
import re
import socket
import sqlite3

import ml_metadata
from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig, PostgreSQLDatabaseConfig
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata

from pipeline_def.config import ConfigError, Database, PipelineConfig

_LOCK_SECONDS = 10
_ANSWER_SECONDS = 10


def connection_config(config: PipelineConfig) -> ConnectionConfig:
    """Returns the connection to a pipeline's ML Metadata store.

    Args:
        config: The pipeline's configuration.

    Returns:
        A connection to the configured database, or to an SQLite file in the pipeline's directory.

    Raises:
        ConfigError: The environment variable with the database's password is not set.
    """
    database = config.metadata
    if database is None:
        return metadata.sqlite_metadata_connection_config(str(config.root / "metadata.sqlite"))
    password = _password(database)
    if database.kind == "mysql":
        return metadata.mysql_metadata_connection_config(
            database.host, database.port, database.database, database.user, password
        )
    # TFX has no function for PostgreSQL.
    return ConnectionConfig(
        postgresql=PostgreSQLDatabaseConfig(
            host=database.host,
            port=str(database.port),
            dbname=database.database,
            user=database.user,
            # ML Metadata pastes the password into a libpq connection string unquoted.
            password="'{}'".format(re.sub(r"(['\\])", r"\\\1", password)),
        )
    )


def require_usable(config: PipelineConfig, connection: ConnectionConfig) -> None:
    """Connects to the store once, before the first step, and refuses one that cannot be used.

    A store that does not know the pipeline is refused if there are artifacts of it on disk. TFX
    names output directories by execution id: with an empty store it would start at 1 again and mix
    new outputs with old files.

    Args:
        config: The pipeline's configuration.
        connection: What `connection_config` returned.

    Raises:
        ConfigError: The store cannot be used, or it has no run of the pipeline and there are
            artifacts.
    """
    if connection.HasField("sqlite"):
        _check_file(pathlib.Path(connection.sqlite.filename_uri))
    try:
        with metadata.Metadata(connection) as connected:
            known = connected.store.get_context_by_type_and_name(
                constants.PIPELINE_CONTEXT_TYPE_NAME, config.name
            )
    except RuntimeError as error:
        raise _unusable(config, str(error)) from error
    artifacts = config.root / "artifacts"
    if not known and artifacts.is_dir() and any(artifacts.iterdir()):
        raise ConfigError(
            f"{artifacts} holds artifacts, but the ML Metadata store has no run of the pipeline "
            f"{config.name!r}: new outputs would be mixed with old files. Bring back the store "
            "that the artifacts belong to, or move them away to start anew."
        )


def _check_file(path: pathlib.Path) -> None:
    """Refuses an SQLite file that is damaged or read-only, or that another process locks."""
    if not path.exists():
        return
    try:
        path.open("r+b").close()  # SQLite opens a read-only file, too, and fails at the first step.
        with contextlib.closing(sqlite3.connect(path, timeout=_LOCK_SECONDS)) as file:
            file.execute("begin immediate")  # ML Metadata would wait 250 s for a lock.
            (found,) = file.execute("pragma quick_check").fetchone()
    except (OSError, sqlite3.Error) as error:
        found = str(error)
    if found != "ok":
        raise _unusable_file(path, found)


def _unusable_file(path: pathlib.Path, cause: str) -> ConfigError:
    return ConfigError(
        f"The ML Metadata store {path} cannot be used: {cause.rstrip('.')}. If it is locked, end "
        "the process that uses it. If it is read-only, make it writable. If it is damaged, bring "
        f"back a copy, or start anew: move {path.parent} away."
    )


def _unusable(config: PipelineConfig, cause: str) -> ConfigError:
    store, database = config.root / "metadata.sqlite", config.metadata
    if "library version" in cause:
        place = f"database {database.database}" if database else f"file {store}"
        return ConfigError(
            f"The ML Metadata {place} is of another version of ML Metadata than the installed "
            f"{ml_metadata.__version__}: {cause} Run the pipeline with the Python and TFX that "
            f"wrote it, or start anew: name another database, or move {config.root} away."
        )
    if not database:
        return _unusable_file(store, cause)
    try:
        socket.create_connection((database.host, database.port), _ANSWER_SECONDS).close()
    except OSError as error:
        found = f"there is no server ({error.strerror or error})"
    else:
        found = f"the server refuses the user, the password or the database ({cause})"
    return ConfigError(
        f"The {database.kind} database {database.database!r} for ML Metadata at "
        f"{database.host}:{database.port}, user {database.user!r}, cannot be used: {found}. Start "
        "the server, or correct the configuration's section metadata or the password."
    )


def _password(database: Database) -> str:
    variable = database.password_variable
    if variable is None:
        return ""
    if variable not in os.environ:
        raise ConfigError(
            f"metadata.password_variable: the environment has no variable {variable}; "
            "set it to the password of the ML Metadata database."
        )
    return os.environ[variable]
