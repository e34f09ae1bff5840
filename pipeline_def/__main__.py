"""Answers what a Makefile or a script asks about the configured pipeline.

``python -m pipeline_def name`` prints its name, ``python -m pipeline_def projection`` the directory
of the newest projection in its ``output_dir``, whichever pipeline made it.
"""

import sys

from pipeline_def.config import ConfigError, PipelineConfig, load


def _newest_projection(config: PipelineConfig) -> str:
    runs = "*/artifacts/ProjectorExporter/projection/[0-9]*/*"
    # Written last, see components/projector_exporter/runs.py.
    found = config.root.parent.glob(f"{runs}/events.out.tfevents.*")
    newest = max(found, key=lambda path: path.stat().st_mtime, default=None)
    if newest is None:
        sys.exit(f"There is no projection in {config.root.parent} yet: call make run first.")
    return str(newest.parent)


_QUESTIONS = {"name": lambda config: config.name, "projection": _newest_projection}


def main(arguments: list[str]) -> None:
    """Prints the answer to a question.

    Args:
        arguments: The question: 'name' or 'projection'.

    Raises:
        SystemExit: The question is unknown, the configuration cannot be used, or there is nothing
            to answer.
    """
    if len(arguments) != 1 or arguments[0] not in _QUESTIONS:
        sys.exit(f"Usage: python -m pipeline_def {'|'.join(_QUESTIONS)}")
    try:
        print(_QUESTIONS[arguments[0]](load()))
    except ConfigError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
