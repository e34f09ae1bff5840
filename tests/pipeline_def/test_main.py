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
    made = []
    for age, run in enumerate(("imdb/7/imdb-2", "sample/10/sample-3", "sample/9/sample-1")):
        pipeline, execution, name = run.split("/")
        outputs = tmp_path / pipeline / "artifacts" / "ProjectorExporter" / "projection"
        events = outputs / execution / name / "events.out.tfevents.1.host"
        events.parent.mkdir(parents=True)
        events.touch()
        os.utime(events, (1000 - age, 1000 - age))
        made.append(events.parent)
    unfinished = made[0].with_name(".imdb-4.unfinished-c0ffee")
    unfinished.mkdir()
    assert ask("projection", tmp_path).stdout == f"{made[0]}\n"


@pytest.mark.parametrize(
    ("question", "answer"), [("projection", "call make run first"), ("weather", "Usage")]
)
def test_without_an_answer_it_fails(question: str, answer: str, tmp_path: pathlib.Path) -> None:
    asked = ask(question, tmp_path)
    assert asked.returncode == 1
    assert answer in asked.stderr
    assert "Traceback" not in asked.stderr
