"""Connections to ML Metadata."""

import os
import re

from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig, PostgreSQLDatabaseConfig
from tfx.v1.orchestration import metadata

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
