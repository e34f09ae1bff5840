import logging
import os
import pathlib
import subprocess
import sys
import textwrap
import warnings
from typing import Any

import pytest
from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig, MySQLDatabaseConfig
from tfx import v1 as tfx
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner

from pipeline_def import console


def test_what_libraries_print_goes_to_the_log(
    tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "logs" / "run.log"
    with console.quiet(log) as terminal:
        os.write(1, b"from C\n")
        os.write(2, b"an error from C\n")
        logging.getLogger("library").info("logged")
        warnings.warn("beware", stacklevel=1)
        print("for people", file=terminal)
    print("afterwards")
    assert capfd.readouterr().out == "for people\nafterwards\n"
    logged = log.read_text()
    for text in ("from C", "an error from C", "logged", "beware"):
        assert logged.count(text) >= 1


def test_each_record_is_logged_once(tmp_path: pathlib.Path) -> None:
    logging.basicConfig(force=True)  # As a library may have done before.
    log = tmp_path / "run.log"
    with console.quiet(log):
        logging.getLogger("library").warning("only once")
    assert log.read_text().count("only once") == 1


def test_what_components_log_is_shown(
    tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with console.quiet(tmp_path / "run.log"):
        logging.getLogger("components.embedding_trainer.training").info("Epoch 1/3")
    assert capfd.readouterr().out == "    Epoch 1/3\n"


@pytest.mark.parametrize("runner", [tfx.orchestration.LocalDagRunner, BeamDagRunner])
def test_the_password_of_the_database_is_not_logged(runner: Any, tmp_path: pathlib.Path) -> None:
    unreachable = MySQLDatabaseConfig(
        host="127.0.0.1", port=1, database="lineage", user="tfx", password="a secret"
    )
    pipeline = tfx.dsl.Pipeline(
        pipeline_name="own",
        pipeline_root=str(tmp_path),
        components=[tfx.components.ImportSchemaGen(schema_file="schema.pbtxt")],
        metadata_connection_config=ConnectionConfig(mysql=unreachable),
    )
    log = tmp_path / "run.log"
    with console.quiet(log), pytest.raises(RuntimeError, match="Failed to establish connection"):
        runner().run(pipeline)
    logged = log.read_text()
    assert "ImportSchemaGen" in logged
    assert "secret" not in logged


def test_output_is_given_back_after_an_error(tmp_path: pathlib.Path) -> None:
    script = textwrap.dedent(f"""
        import pathlib
        from pipeline_def import console
        try:
            with console.quiet(pathlib.Path({str(tmp_path / "run.log")!r})):
                print("from Python")
                raise ValueError
        except ValueError:
            print("back again")
    """)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout == "back again\n"
    assert (tmp_path / "run.log").read_text() == "from Python\n"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("no such split", "ValueError: no such split"),
        (
            "boom\n\nTraceback (most recent call last):\n  File x\nKeyError: 'text'\nWhat to do.\n",
            "KeyError: 'text'\nWhat to do.",
        ),
    ],
)
def test_an_error_is_shown_without_stack(message: str, shown: str) -> None:
    assert console.own_message(ValueError(message)) == shown
