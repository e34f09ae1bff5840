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
