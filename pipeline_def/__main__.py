"""Runs the configured pipeline, prints where its projection is, or writes a configuration.

::

    python -m pipeline_def run          # with TFX's Beam engine
    python -m pipeline_def projection   # prints the directory of the newest projection
    python -m pipeline_def init FILE    # writes a configuration for labelled text in a file
"""

import sys

from pipeline_def import (
    interruption,
    startup,  # noqa: F401  Before TensorFlow is imported.
)
from pipeline_def.config import ConfigError, PipelineConfig, load


def run(engine: str) -> None:
    """Runs the pipeline that the environment configures.

    Args:
        engine: The TFX engine of this machine: 'beam' or 'local'.

    Raises:
        SystemExit: The configuration cannot be used, standard output is closed, or a step failed;
            with a message and exit code 1.
    """
    if sys.stdout is None:
        sys.exit("Standard output is closed. Redirect it to a file, or to /dev/null.")
    config = _load()
    with interruption.ends_process():
        # After the check of the configuration: TFX takes up to 20 s to import.
        from pipeline_def import run

        run.main(config, engine)


def main(arguments: list[str]) -> None:
    """Runs the command line.

    Args:
        arguments: 'run', 'projection', or 'init' and its arguments.

    Raises:
        SystemExit: The command is unknown or fails, or there is no projection yet.
    """
    if arguments == ["run"]:
        run("beam")
    elif arguments[:1] == ["init"]:
        from pipeline_def import init  # Reads files with Arrow, which the others do not need.

        init.main(arguments[1:])
    elif arguments == ["projection"]:
        print(_newest_projection(_load()))
    else:
        sys.exit("Usage: python -m pipeline_def run|projection|init FILE")


def _load() -> PipelineConfig:
    try:
        return load()
    except ConfigError as error:
        sys.exit(str(error))


def _newest_projection(config: PipelineConfig) -> str:
    runs = "*/artifacts/ProjectorExporter/projection/*/*"
    # The exporter writes the event file last.
    written = config.root.parent.glob(f"{runs}/events.out.tfevents.*")
    # TFX names a directory by its execution id; others, such as '7.copy', are copies by hand.
    found = [path for path in written if path.parts[-3].isdecimal()]
    # Within a pipeline the highest id is the newest, even if the clock has been set back.
    newest = {path.parents[5]: path for path in sorted(found, key=lambda it: int(it.parts[-3]))}
    latest = max(newest.values(), key=lambda path: path.stat().st_mtime, default=None)
    if latest is None:
        sys.exit(f"There is no projection in {config.root.parent} yet: call make run first.")
    return str(latest.parent)


if __name__ == "__main__":
    main(sys.argv[1:])
