"""Makes the map of any projector directory: `python -m components.projector_exporter page DIR`."""

import argparse
import os
import pathlib
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow logs nothing a reader can act on.

from components.projector_exporter.page import MAP
from components.projector_exporter.page.directory import make_page_of


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: The arguments after the program's name; None for those of the process.

    Returns:
        The exit code: 1 if the directory cannot be read, otherwise 0.
    """
    parser = argparse.ArgumentParser(prog="python -m components.projector_exporter")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("page", help="make one HTML file of a projector directory")
    command.add_argument("directory", help="a directory with a projector_config.pbtxt")
    command.add_argument("-o", "--output", default=MAP, help=f"the file; default: {MAP}")
    parsed = parser.parse_args(arguments)
    try:
        page = make_page_of(parsed.directory)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    output = pathlib.Path(parsed.output)
    unfinished = output.with_name(f".{output.name}.unfinished")
    unfinished.write_bytes(page)
    unfinished.replace(output)
    print(f"Look at it: {output.absolute()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
