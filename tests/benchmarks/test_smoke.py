import json
import os
import pathlib
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks import export, process, setting
from components.projector_exporter.points import Points

if TYPE_CHECKING:
    from tests.pipelines import Pipeline, Run


def bench(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks", *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )


@pytest.mark.benchmarks
def test_every_part_runs_on_a_few_reviews(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "results.json"
    finished = bench("--quick", "--results", str(path))
    assert finished.returncode == 0, finished.stdout + finished.stderr
    results = json.loads(path.read_text())
    assert set(results["medians"]) == set(benchmarks.PARTS) - {"growth"}
    judged = {ratio["name"]: ratio for ratio in results["ratios"]}
    assert judged["pipeline / stock pipeline"]["value"] == pytest.approx(
        results["medians"]["pipeline"]["seconds"] / results["medians"]["stock"]["seconds"]
    )
    assert all(ratio["name"] in finished.stdout for ratio in results["ratios"])
    assert set(results["medians"]["pipeline"]["steps"]) >= {"TfdsExampleGen", "Pusher"}


@pytest.mark.benchmarks
def test_files_of_ones_own_are_measured_beside_tfidf(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmarks import own_text

    rows = [
        (f"{word} {number % 7} and {number % 11}", label)
        for number in range(600)
        for word, label in (("good", "yes"), ("bad", "no"), ("odd", "who knows"))
    ]
    # The file has no header.
    (tmp_path / "own.csv").write_text("".join(f"{label};'{text}'\n" for text, label in rows))
    monkeypatch.setenv("PYTHONPATH", os.getcwd())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(own_text, "_STARTS", ("random",))
    monkeypatch.setattr(own_text, "_SEEDS", (0,))
    monkeypatch.setattr(sys, "argv", ["own_text", "own.csv"])
    own_text.main()
    measured = _reported(capsys)
    assert measured == {"file": "own.csv", "random": [1.0], "tfidf_logistic_regression": 1.0}


@pytest.mark.slow
def test_training_is_measured_on_the_outputs_of_the_pipeline(
    sample: "Pipeline",
    sample_run: "Run",
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from benchmarks import training  # Not above: the other tests do not wait for TensorFlow.

    assert sample_run.code == 0, sample_run.printed
    config = {"PIPELINE_CONFIG": str(setting.CONFIGS / "sample.yaml")}
    monkeypatch.setattr(setting.Setting, "variables", config | sample.environment)
    monkeypatch.setattr(setting.Setting, "work", sample.root.parent)
    monkeypatch.setattr(sys, "argv", ["training", "--quick"])
    training.main()
    measured = _reported(capsys)
    assert measured["test_accuracy"] > 0.75
    assert measured["input_examples_per_second"] > measured["examples_per_second"] > 0


@pytest.mark.parametrize("case", export.CASES)
def test_exports_are_measured(case: str) -> None:
    seconds, _ = export.measure(export.CASES[case], rows=100, dimensions=4)
    assert seconds > 0


def test_the_peak_memory_is_that_of_the_export_alone() -> None:
    def export_in_64_mb(directory: pathlib.Path, words: Points) -> None:
        bytearray(64_000_000)

    # Resets this process's peak, since earlier tests may have used more.
    pathlib.Path("/proc/self/clear_refs").write_text("5")
    _, peak = export.measure(export_in_64_mb, rows=100, dimensions=4)
    assert peak == pytest.approx(64_000_000, rel=0.1)


def _reported(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    reported: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return reported


@pytest.mark.slow
def test_the_reviews_are_asked_for_in_one_sentence(tmp_path: pathlib.Path) -> None:
    finished = bench(TFDS_DATA_DIR=str(tmp_path))
    assert finished.returncode == 1
    # TensorFlow 2.21 prints notes of its own before this line.
    assert finished.stderr.splitlines()[-1] == (
        f"make bench needs the prepared imdb_reviews, and TFDS_DATA_DIR is {str(tmp_path)!r}; set "
        "it to the directory that has them."
    )


def test_ratios_are_judged_by_their_own_side_of_the_bound() -> None:
    medians = {
        "training": {"test_accuracy": 0.87, "fit_seconds": 9.0},
        "tutorial": {"fit_seconds": 10.0},
    }
    reached = {ratio["name"]: ratio["reached"] for ratio in benchmarks.judge(medians)}
    assert reached == {
        "accuracy on the test split": False,
        "training to the end / one epoch of the tutorial": True,
    }


def test_a_child_process_costs_what_its_children_cost() -> None:
    burn = "import time; start = time.process_time()\nwhile time.process_time() < start + 0.5: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}], check=True)"
    cost = process.run(["-c", f"{parent}; print('Transform            done       12.5 s  words')"])
    assert cost.cpu_seconds > 0.5
    assert cost.seconds > 0.5
    assert cost.steps == {"Transform": 12.5}


def test_the_memory_of_the_measuring_process_does_not_count() -> None:
    held = bytearray(400_000_000)
    assert process.run(["-c", "pass"]).peak_mb < 100
    del held


def test_a_child_process_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="no such luck"):
        process.run(["-c", "raise SystemExit('no such luck')"])
