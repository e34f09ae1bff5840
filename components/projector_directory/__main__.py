"""Checks projector directories: `python -m components.projector_directory verify DIR`."""

import argparse
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow logs nothing a reader can act on.

from components.projector_directory.verify import verify


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: The arguments after the program's name; None for those of the process.

    Returns:
        The exit code: 1 if TensorBoard would show anything wrongly, otherwise 0.
    """
    parser = argparse.ArgumentParser(prog="python -m components.projector_directory")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "verify", help="list what TensorBoard would show wrongly of a projector directory"
    )
    command.add_argument("directory", help="a directory with a projector_config.pbtxt")
    directory = parser.parse_args(arguments).directory
    try:
        violations = verify(directory)
    except NotADirectoryError as error:
        print(error, file=sys.stderr)
        return 1
    for violation in violations:
        print(violation)
    if not violations:
        print(f"{directory}: TensorBoard shows it as it was written.")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
