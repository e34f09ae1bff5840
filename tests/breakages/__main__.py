"""Breaks the code in each way that `table.yaml` lists and expects the row's test to fail."""

import pathlib
import sys

import yaml

from tests.mutants import warm

TABLE = pathlib.Path(__file__).parent / "table.yaml"
_LIMIT = 600.0  # Seconds; enough for a test that runs whole pipelines.


def main(words: list[str]) -> None:
    """Tries each row and prints whether its test noticed the breakage.

    Args:
        words: Try only the rows whose file or test contains one of these; all rows if empty.

    Raises:
        SystemExit: A test passed on broken code, or fails on the code as it is.
    """
    table = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
    if words:
        table = [row for row in table if any(word in row["file"] + row["test"] for word in words)]
    warm.import_libraries()
    with warm.copy_of_sources() as copy:
        tests = sorted({row["test"] for row in table})
        if warm.outcome(copy, tests, _LIMIT) != warm.PASSED:
            sys.exit(pathlib.Path(copy, warm.SAID).read_text())
        unnoticed = [row["breaks"] for row in table if not _is_noticed(copy, row)]
    if unnoticed:
        sys.exit("\nNot noticed: " + "; ".join(unnoticed))


def _is_noticed(copy: str, row: dict[str, str]) -> bool:
    file = pathlib.Path(copy, row["file"])
    sources = file.read_text(encoding="utf-8")
    file.write_text(broken(sources, row), encoding="utf-8")
    noticed = warm.outcome(copy, [row["test"]], _LIMIT) != warm.PASSED
    file.write_text(sources, encoding="utf-8")
    print(f"{'noticed ' if noticed else 'UNNOTICED'}  {row['breaks']}", flush=True)
    return noticed


def broken(sources: str, row: dict[str, str]) -> str:
    """Returns the text of a row's file with `old` replaced by `new`.

    Raises:
        ValueError: The file does not contain `old` exactly once.
    """
    if sources.count(row["old"]) != 1:
        raise ValueError(
            f"{row['file']} has {sources.count(row['old'])} of {row['old']!r}; expected one. "
            f"Adapt 'old' of {row['breaks']!r} in {TABLE.name}."
        )
    return sources.replace(row["old"], row["new"])


if __name__ == "__main__":
    main(sys.argv[1:])
