"""This project's pipeline from TFDS records to pushed model and projection, and again, all cached.

Both as processes of their own, start-up included. What remains of a run from the cache is imports:
``python -c "import …"`` of what any TFX pipeline with an Evaluator needs is measured beside it.
"""

from benchmarks import process, setting

_TFX = (
    "import tfx.v1, tensorflow_model_analysis, tfx.orchestration.beam.beam_dag_runner, "
    "tensorflow_transform.beam"
)


def main() -> None:
    """Measures and prints a JSON line."""
    chosen = setting.from_arguments(__doc__)
    first = run(chosen, fresh=True)
    cached = run(chosen)
    imports = process.run(["-c", _TFX])
    setting.report(
        {
            "seconds": first.seconds,
            "cpu_seconds": first.cpu_seconds,
            "peak_mb": first.peak_mb,
            "steps": first.steps,
            "cached_seconds": cached.seconds,
            "cached_cpu_seconds": cached.cpu_seconds,
            "tfx_import_seconds": imports.seconds,
        }
    )


def run(chosen: setting.Setting, fresh: bool = False) -> process.Cost:
    """Runs the pipeline in a process of its own.

    Args:
        chosen: With which configuration.
        fresh: Whether to remove the outputs of earlier runs first.

    Returns:
        What it cost.
    """
    if fresh:
        chosen.fresh(chosen.config.name)
    return process.run(["-m", "pipeline_def.beam_runner"], **chosen.variables)


if __name__ == "__main__":
    main()
