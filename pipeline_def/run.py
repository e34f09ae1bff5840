"""Runs the configured pipeline with a local runner and tells what came of it."""

import datetime
import sys
from typing import Any

from ml_metadata.proto import metadata_store_pb2

from components.artifacts import projection_directory
from pipeline_def import console, local_beam, report
from pipeline_def.config import PipelineConfig, load
from pipeline_def.pipeline import create_pipeline


def main(runner: Any) -> None:
    """Runs the pipeline that the environment configures.

    Under ``tfx pipeline create`` and its like the runner only compiles, and nothing is told.

    Args:
        runner: A TFX runner of this machine, such as a LocalDagRunner.

    Raises:
        SystemExit: With a message if the configuration cannot be used, with code 1 if a step
            failed (its error has been printed).
    """
    try:
        config = load()
        pipeline = create_pipeline(config)
    except ValueError as error:  # A ConfigError, or what a component refuses at construction.
        sys.exit(str(error))
    local_beam.use_own_runner()
    log = config.root / "logs" / f"{datetime.datetime.now():%Y%m%d-%H%M%S}.log"
    with console.quiet(log) as terminal:
        steps = console.Steps(terminal, pipeline.metadata_connection_config)
        try:
            with steps.followed():
                runner.run(pipeline)
        except Exception:
            if not steps.failed:  # Otherwise it is Beam's wrapping of what has been printed.
                raise
        lines = [] if steps.failed else _summary(config, steps.outputs())
    if steps.failed:
        sys.exit(f"\n{steps.failed} failed; the whole story is in {log}")
    if lines:
        print("", *lines, f"Log:         {log}", sep="\n")


def _summary(
    config: PipelineConfig, artifacts: dict[str, metadata_store_pb2.Artifact]
) -> list[str]:
    if "EmbeddingProjection" not in artifacts:
        return []
    evaluation, projection = artifacts["ModelEvaluation"], artifacts["EmbeddingProjection"]
    published = projection.custom_properties["published"].string_value
    verdict = f"blessed, pushed to {report.describe([artifacts['PushedModel']])}"
    if not report.is_blessed(artifacts["ModelBlessing"]):
        verdict = f"not blessed: {'; '.join(report.missed_bounds(evaluation))}"
    return [
        *(f"Nearest to   {line}" for line in report.nearest(projection)),
        f"Accuracy:    {report.accuracy(evaluation):.4f} on {config.dataset.eval!r}",
        f"Model:       {verdict}",
        f"Projection:  {projection_directory(projection)}",
        *([f"Published:   {published}"] if published else []),
        f"See it:      tensorboard --logdir {projection.uri}",
    ]
