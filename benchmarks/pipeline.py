"""Measures this project's pipeline: a first run, and a second one in which every step is cached.

Each run is a process, measured from its start. A cached run mostly imports modules, so the import
of those that any TFX pipeline with an Evaluator needs is measured, too.
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
    """Runs the pipeline in a new process.

    Args:
        chosen: The configuration.
        fresh: Whether to remove the outputs of earlier runs first.

    Returns:
        Time and memory of the process.
    """
    if fresh:
        chosen.fresh(chosen.config.name)
    return process.run(["-m", "pipeline_def", "run"], **chosen.variables)


if __name__ == "__main__":
    main()
