import pathlib
import re
import subprocess

PROJECT = pathlib.Path(__file__).parents[1]


def test_help_lists_every_target() -> None:
    listed = subprocess.run(
        ["make", "--no-print-directory", "PYTHON=3.10", "help"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    makefile = (PROJECT / "Makefile").read_text().replace("\\\n", "")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert [line.split()[0] for line in listed.splitlines()] == phony.split()
    assert all(len(line.split()) > 2 for line in listed.splitlines())
