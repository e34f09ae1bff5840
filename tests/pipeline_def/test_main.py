import os
import pathlib
import subprocess
import sys

import pytest

PROJECT = pathlib.Path(__file__).parents[2]


def ask(question: str, directory: pathlib.Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PIPELINE__OUTPUT_DIR": str(directory)}
    command = [sys.executable, "-m", "pipeline_def", question]
    return subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)


def test_the_name_of_the_pipeline(tmp_path: pathlib.Path) -> None:
    assert ask("name", tmp_path).stdout == "sample\n"


def test_the_newest_projection_of_any_pipeline(tmp_path: pathlib.Path) -> None:
    made = [
        tmp_path / pipeline / "artifacts" / "ProjectorExporter" / "projection" / execution
        for pipeline, execution in (("sample", "9"), ("imdb", "7"), ("sample", "10"))
    ]
    for age, directory in zip((2, 0, 1), made, strict=True):
        directory.mkdir(parents=True)
        os.utime(directory, (1000 - age, 1000 - age))
    assert ask("projection", tmp_path).stdout == f"{made[1]}\n"


@pytest.mark.parametrize(
    ("question", "answer"), [("projection", "call make run first"), ("weather", "Usage")]
)
def test_without_an_answer_it_fails(question: str, answer: str, tmp_path: pathlib.Path) -> None:
    asked = ask(question, tmp_path)
    assert asked.returncode == 1
    assert answer in asked.stderr
    assert "Traceback" not in asked.stderr
