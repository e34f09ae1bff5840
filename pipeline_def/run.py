"""Runs a pipeline with a TFX engine of this machine, and reports what it made."""

import datetime
import shlex
import sys

from ml_metadata.proto.metadata_store_pb2 import Artifact
from tfx import v1 as tfx
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner

from components.artifacts import projection_directory
from components.projector_exporter.page import MAP
from pipeline_def import (
    console,
    metadata_store,
    output_directory,
    remote_workers,
    report,
    workers,
)
from pipeline_def.config import ConfigError, PipelineConfig
from pipeline_def.pipeline import create_pipeline

_RUNNERS = {"beam": BeamDagRunner, "local": tfx.orchestration.LocalDagRunner}


def main(config: PipelineConfig, engine: str) -> None:
    """Runs a pipeline.

    Commands such as ``tfx pipeline create`` let the runner only compile the pipeline; then nothing
    is reported.

    Args:
        config: The pipeline's configuration.
        engine: 'beam' or 'local'.

    Raises:
        SystemExit: A component refuses its arguments, the output directory or the ML Metadata store
            cannot be used, remote workers cannot run the steps, or a step failed.
    """
    try:
        pipeline = create_pipeline(config)
    except ValueError as error:
        sys.exit(str(error))
    try:
        with output_directory.claimed(config.root):
            _run(pipeline, config, engine)
    except ConfigError as error:
        sys.exit(str(error))


def _run(pipeline: tfx.dsl.Pipeline, config: PipelineConfig, engine: str) -> None:
    connection = pipeline.metadata_connection_config
    runner = _RUNNERS[engine]()
    workers.use_python_runner()
    # With microseconds, as in TFX's names of runs.
    log = config.root / "logs" / f"{datetime.datetime.now():%Y%m%d-%H%M%S.%f}.log"
    with console.quiet(log) as terminal:
        metadata_store.require_usable(config, connection)
        remote_workers.require_workers(config)
        steps = console.Steps(terminal, connection)
        try:
            with steps.followed():
                runner.run(pipeline)
        except Exception:
            if not steps.failed:  # A step's error has been printed, and Beam wraps it in its own.
                raise
        if steps.failed:
            sys.exit(f"\n{steps.failed} failed; its whole log is {log}")
        if not steps.outputs():  # Compiled, not run.
            log.unlink()
            return
        lines = _summary(config, steps.outputs())
        print("", *lines, f"Log:         {log}", sep="\n", file=terminal)


def _summary(config: PipelineConfig, artifacts: dict[str, Artifact]) -> list[str]:
    evaluation, projection = artifacts["ModelEvaluation"], artifacts["EmbeddingProjection"]
    directory = projection_directory(projection)
    stability = report.stability(projection)
    published = projection.custom_properties["published"].string_value
    return [
        *(f"Nearest to   {line}" for line in report.nearest(projection)),
        *([f"Neighbors:   {stability}"] if stability else []),
        *report.describe_scores(
            report.scores(evaluation), report.class_names(artifacts["Model"]), config.dataset.eval
        ),
        f"Model:       {_verdict(artifacts)}",
        f"Projection:  {directory}",
        *([f"Published:   {published}"] if published else []),
        f"Look at it:  {directory}/{MAP}",
        f"TensorBoard: tensorboard --logdir {shlex.quote(projection.uri)}",
    ]


def _verdict(artifacts: dict[str, Artifact]) -> str:
    if report.is_blessed(artifacts["ModelBlessing"]):
        return f"blessed, pushed to {report.describe([artifacts['PushedModel']])}"
    return f"not blessed: {'; '.join(report.missed_bounds(artifacts['ModelEvaluation']))}"
