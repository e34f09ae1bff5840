import contextlib
import io
import logging
import os
import pathlib
import sys
import warnings
from collections.abc import Iterator
from typing import Any
from unittest import mock

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
        os.write(1, b"printed by C\n")
        os.write(2, b"an error of C\n")
        logging.getLogger("library").info("logged")
        warnings.warn("beware", stacklevel=1)
        print("for people", file=terminal)
    print("afterwards")
    assert capfd.readouterr().out == "for people\nafterwards\n"
    logged = log.read_text()
    for text in ("printed by C", "an error of C", "logged", "beware"):
        assert text in logged


@contextlib.contextmanager
def stdout_to(descriptor: int) -> Iterator[None]:
    """Lets file descriptor 1 of this process lead elsewhere, in a ``with`` block."""
    stdout = os.dup(1)
    os.dup2(descriptor, 1)
    try:
        yield
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)


def test_progress_bars_are_shown_on_a_terminal(tmp_path: pathlib.Path) -> None:
    reading, terminal = os.openpty()
    with stdout_to(terminal), console.quiet(tmp_path / "run.log"):
        print("50%", file=sys.stderr, flush=True)
    os.write(terminal, b".\n")  # Otherwise `read` would wait where nothing has been shown.
    shown = os.read(reading, 100)
    os.close(terminal)
    os.close(reading)
    assert shown.startswith(b"50%")


def test_a_terminal_that_takes_no_more_does_not_end_a_run(tmp_path: pathlib.Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    for descriptor in (writing, os.open("/dev/full", os.O_WRONLY)):
        with stdout_to(descriptor), console.quiet(tmp_path / "run.log") as terminal:
            os.close(descriptor)
            print("lost", file=terminal, flush=True)
            logging.getLogger("components").info("lost too")
            os.write(1, b"logged")
        assert "logged" in (tmp_path / "run.log").read_text()


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


@pytest.mark.slow
@pytest.mark.parametrize("runner", [tfx.orchestration.LocalDagRunner, BeamDagRunner])
def test_the_password_of_the_database_is_not_logged(
    runner: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # TFX would try to connect ten times, with pauses.
    monkeypatch.setattr("tfx.orchestration.metadata._MAX_INIT_RETRY", 1)
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


def test_a_step_from_the_cache_is_told_apart(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "schema.pbtxt").write_text("feature { name: 'text' }")
    connection = tfx.orchestration.metadata.sqlite_metadata_connection_config(
        str(tmp_path / "metadata.sqlite")
    )
    for word in ("done", "cached"):
        schema_gen = tfx.components.ImportSchemaGen(schema_file=str(tmp_path / "schema.pbtxt"))
        pipeline = tfx.dsl.Pipeline(
            pipeline_name="own",
            pipeline_root=str(tmp_path / "artifacts"),
            components=[schema_gen],
            enable_cache=True,
            metadata_connection_config=connection,
        )
        terminal = io.StringIO()
        steps = console.Steps(terminal, connection)
        clock = mock.Mock(monotonic=mock.Mock(side_effect=[5, 8]))
        monkeypatch.setattr(console, "time", clock)
        with steps.followed():
            tfx.orchestration.LocalDagRunner().run(pipeline)
        running, ended = terminal.getvalue().splitlines()
        assert running == "ImportSchemaGen      running"
        assert ended.split()[:4] == ["ImportSchemaGen", word, "3.0", "s"]
        assert set(steps.outputs()) == {"Schema"}
        assert steps.failed is None


def test_output_is_given_back_after_an_error(
    tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "run.log"
    with pytest.raises(KeyError), console.quiet(log):
        os.write(1, b"within\n")
        raise KeyError
    os.write(1, b"back\n")
    os.write(2, b"again\n")
    print("and again")
    logging.getLogger("library").warning("not in the closed log")
    printed = capfd.readouterr()
    assert sorted(printed.out.split()) == ["again", "and", "back"]
    assert printed.err.splitlines() == ["again", "not in the closed log"]
    assert log.read_text() == "within\n"


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("no such split", "ValueError: no such split"),
        (
            "boom\n\nTraceback (most recent call last):\nOSError: No space left on device",
            "The disk is full. Make room and run again.",
        ),
        (
            "boom\n\nTraceback (most recent call last):\n  File x\nKeyError: 'text'\nWhat to do.\n",
            "KeyError: 'text'\nWhat to do.",
        ),
    ],
)
def test_an_error_is_shown_without_stack(message: str, shown: str) -> None:
    assert console.own_message(ValueError(message)) == shown
