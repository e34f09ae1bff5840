"""Breaks the sources in each way that `table.yaml` lists, and expects the named test to fail."""

import pathlib
import sys

import yaml

from tests.mutants import warm

TABLE = pathlib.Path(__file__).parent / "table.yaml"
_LIMIT = 600.0  # Seconds, for a test that runs whole pipelines.


def main(words: list[str]) -> None:
    """Prints a line for each breakage.

    Args:
        words: Take the breakages that have one of these in their file or test; none for all.

    Raises:
        SystemExit: A test passed although the sources were broken, or failed as they are.
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
    """Returns the sources of a row's file with what the row breaks.

    Raises:
        ValueError: The sources do not have it exactly once.
    """
    if sources.count(row["old"]) != 1:
        raise ValueError(
            f"{row['file']} has {sources.count(row['old'])} of {row['old']!r}; expected one. "
            f"Adapt 'old' of {row['breaks']!r} in {TABLE.name}."
        )
    return sources.replace(row["old"], row["new"])


if __name__ == "__main__":
    main(sys.argv[1:])
