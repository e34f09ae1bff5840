import pathlib

import pytest

from components.projector_directory.verify import verify
from tests.components.projector_directory.verify.damage import NAME, configured


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("embeddings {", "cannot be parsed, and no run of this TensorBoard opens"),
        (f'embeddings {{ {NAME} metadata_path: "../metadata.tsv" }}', "outside the directory"),
        (f'embeddings {{ {NAME} metadata_path: "labels.tsv" }}', "'labels.tsv' is not a file"),
        (f'model_checkpoint_path: "logs/x" embeddings {{ {NAME} }}', "directory of the server"),
    ],
)
def test_a_configuration_that_fails(export: pathlib.Path, text: str, problem: str) -> None:
    configured(text)(export)
    (violation,) = verify(str(export))
    assert (violation.file, violation.row) == ("projector_config.pbtxt", None)
    assert problem in violation.problem


@pytest.mark.parametrize("name", ["", ":0"])
def test_of_two_entries_for_one_tensor_the_first_is_found(export: pathlib.Path, name: str) -> None:
    entry = f'embeddings {{ {NAME} metadata_path: "metadata.tsv" }} '
    configured(entry + entry.replace('VALUE"', f'VALUE{name}"'))(export)
    (violation,) = verify(str(export))
    assert "has 2 entries: only the first is found" in violation.problem


def test_only_the_first_entry_may_be_without_a_name(export: pathlib.Path) -> None:
    entry = f'embeddings {{ {NAME} metadata_path: "metadata.tsv" }} '
    configured(entry + 'embeddings { metadata_path: "metadata.tsv" }')(export)
    (violation,) = verify(str(export))
    assert "entry 1 has no tensor_name" in violation.problem


def test_only_the_first_tensor_file_gets_a_name(export: pathlib.Path) -> None:
    (export / "checkpoint").unlink()
    text = ""
    for name in ("a", "b"):
        (export / name).write_text("1\t2\t3\n" * 4)
        text += f'embeddings {{ tensor_path: "{name}" metadata_path: "metadata.tsv" }} '
    configured(text)(export)
    (violation,) = verify(str(export))
    assert "entry 1 has no tensor_name" in violation.problem


def test_an_entry_for_nothing_beside_a_tensor_file(export: pathlib.Path) -> None:
    (export / "checkpoint").unlink()
    (export / "a").write_text("1\t2\t3\n" * 4)
    text = 'embeddings { tensor_path: "a" metadata_path: "metadata.tsv" } '
    configured(text + 'embeddings { tensor_name: "b" metadata_path: "metadata.tsv" }')(export)
    (violation,) = verify(str(export))
    assert "tensor 'b' is no matrix" in violation.problem


def test_a_missing_configuration(export: pathlib.Path) -> None:
    (export / "projector_config.pbtxt").unlink()
    (violation,) = verify(str(export))
    assert str(violation).startswith("projector_config.pbtxt: is missing")


def test_a_wrong_tensor_name_leaves_the_tensor_unlabelled(export: pathlib.Path) -> None:
    configured('embeddings { tensor_name: "embedding" metadata_path: "metadata.tsv" }')(export)
    problems = [violation.problem for violation in verify(str(export))]
    assert len(problems) == 2
    assert "'embedding' is no matrix" in problems[0]
    assert "listed too, without any labels" in problems[1]


def test_an_entry_without_a_name_labels_every_matrix(export: pathlib.Path) -> None:
    configured('embeddings { metadata_path: "metadata.tsv" }')(export)
    assert verify(str(export)) == []


def test_files_in_the_directory_are_checked(export: pathlib.Path) -> None:
    (export / "metadata.tsv").write_text("good\n")
    (violation,) = verify(str(export))
    assert violation.file == "metadata.tsv"
