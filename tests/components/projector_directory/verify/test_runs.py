import pathlib

import tensorflow as tf

from components.projector_directory.verify import verify
from tests.components.projector_directory.verify.damage import configured, without_checkpoint


def test_a_directory_without_an_event_file_is_no_run(export: pathlib.Path) -> None:
    next(export.glob("events*")).unlink()
    (violation,) = verify(str(export))
    assert violation.file == "."
    assert "no event file" in violation.problem


def test_runs_below_open_first(export: pathlib.Path) -> None:
    tf.summary.create_file_writer(str(export / "train")).close()
    (violation,) = verify(str(export))
    assert violation.file == "train"
    assert "event files below" in violation.problem


def test_runs_below_raw_tensors_are_not_listed(export: pathlib.Path) -> None:
    tf.summary.create_file_writer(str(export / "train")).close()
    without_checkpoint(export)
    (export / "tensor").write_text("1\t2\t3\n" * 4)
    configured('embeddings { tensor_path: "tensor" metadata_path: "metadata.tsv" }')(export)
    assert verify(str(export)) == []


def test_a_name_that_every_javascript_object_has(export: pathlib.Path) -> None:
    (violation,) = verify(str(export.rename(export.parent / "constructor")))
    assert "'constructor' fails as the name of a run" in violation.problem


def test_the_name_of_a_run(export: pathlib.Path) -> None:
    named = export.rename(export.parent / "50%")
    (violation,) = verify(str(named))
    assert violation.file == "."
    assert "'50%'" in violation.problem
