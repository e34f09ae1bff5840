"""The ML Metadata store of a pipeline."""

import os
import pathlib
import re

from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig, PostgreSQLDatabaseConfig
from tfx.dsl.compiler import constants
from tfx.orchestration import metadata

from pipeline_def.config import ConfigError, Database, PipelineConfig


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


def require_store_of(
    pipeline_name: str, artifacts: pathlib.Path, connection: ConnectionConfig
) -> None:
    """Refuses artifacts on disk of a pipeline that the store has never seen.

    TFX numbers output directories by executions. With an empty store it begins with 1 again and
    writes into directories of an earlier store's executions, beside what these hold.

    Args:
        pipeline_name: Name of the pipeline.
        artifacts: Directory of its artifacts; it may be missing.
        connection: The store.

    Raises:
        ConfigError: There are artifacts, and the store has no run of the pipeline.
    """
    if not artifacts.is_dir() or not any(artifacts.iterdir()):
        return
    with metadata.Metadata(connection) as connected:
        known = connected.store.get_context_by_type_and_name(
            constants.PIPELINE_CONTEXT_TYPE_NAME, pipeline_name
        )
    if not known:
        raise ConfigError(
            f"{artifacts} holds artifacts, but the ML Metadata store has no run of the pipeline "
            f"{pipeline_name!r}: new outputs would be mixed with old files. Bring back the store "
            "that the artifacts belong to, or move them away to start anew."
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
