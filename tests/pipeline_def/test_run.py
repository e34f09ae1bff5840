import pathlib

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import StandardOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from components.embedding_trainer.worker import free_port
from pipeline_def import run
from pipeline_def.config import Beam, PipelineConfig


@pytest.fixture
def config(tmp_path: pathlib.Path) -> PipelineConfig:
    """Returns a configuration whose first step fails, since it names an unknown split."""
    return PipelineConfig.model_validate(
        {
            "name": "own",
            "output_dir": str(tmp_path),
            "dataset": {
                "name": "sample_reviews:1.0.0",
                "builder_module": "pipeline_def.sample_reviews",
                "data_dir": str(tmp_path / "tfds"),
                "eval": "tset",
            },
            "evaluation": {"min_accuracy": 0.5},
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["beam", "local"])
def test_a_failing_step_ends_the_run_with_its_own_error(
    engine: str, config: PipelineConfig, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run.main(config, engine)
    (log,) = (config.root / "logs").iterdir()
    assert ended.value.code == f"\nTfdsExampleGen failed; its whole log is {log}"
    assert "Traceback" in log.read_text()

    printed = capfd.readouterr()
    running, failed = (line for line in printed.out.splitlines() if "ExampleGen " in line)
    assert running == "TfdsExampleGen       running"
    assert failed.startswith("TfdsExampleGen       failed")
    assert "'tset'" in failed
    assert "StatisticsGen" not in printed.out
    assert "Traceback" not in printed.out + printed.err


def test_artifacts_of_another_store_are_refused_before_anything_runs(
    config: PipelineConfig, capfd: pytest.CaptureFixture[str]
) -> None:
    old = config.root / "artifacts" / "TfdsExampleGen" / "examples" / "1" / "Split-train" / "data"
    old.parent.mkdir(parents=True)
    old.touch()
    with pytest.raises(SystemExit) as ended:
        run.main(config, "local")
    assert "holds artifacts, but the ML Metadata store has no run" in str(ended.value.code)
    assert capfd.readouterr().out == ""
    made = {path.relative_to(config.root).parts[0] for path in config.root.iterdir()}
    assert made == {".lock", "artifacts", "logs", "metadata.sqlite"}
    assert [path for path in (config.root / "artifacts").rglob("*") if path.is_file()] == [old]


def refusal_without_workers(config: PipelineConfig) -> str:
    """Runs a pipeline on a remote runner that does not answer; returns what the run ends with."""
    remote = Beam(runner="portable", pipeline_args=[f"--job_endpoint=localhost:{free_port()}"])
    with pytest.raises(SystemExit) as ended:
        run.main(config.model_copy(update={"beam": remote}), "local")
    return str(ended.value.code)


def test_a_remote_runner_that_does_not_answer_ends_the_run_before_its_first_step(
    config: PipelineConfig,
) -> None:
    assert "nothing answers at --job_endpoint" in refusal_without_workers(config)
    assert not (config.root / "artifacts").exists()


def test_a_run_makes_the_runner_of_the_python_package_the_default(
    config: PipelineConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StandardOptions, "DEFAULT_RUNNER", "PrismRunner")
    refusal_without_workers(config)
    assert isinstance(beam.Pipeline().runner, FnApiRunner)
