"""Tests the tests: changes one thing at a time in a module, and expects its tests to fail.

The libraries are imported once, in a process that runs nothing else. Each mutant is written into
a copy of the repository, and a fork of that process runs the tests of the module there, so that
processes which the tests start see the mutant as well.
"""

import argparse
import ast
import os
import pathlib
import random
import shutil
import time

from tests.mutants import mutations, warm

_THIN = {"component.py", "driver.py", "executor.py"}
_GRACE = 10.0  # Seconds added to the time limit, for a busy machine.


def plain_files() -> list[pathlib.Path]:
    """Returns the modules of the plain packages, and those beside components without TFX."""
    files = pathlib.Path("components").glob("*/**/*.py")
    plain = sorted(path for path in files if path.name not in _THIN)
    pipeline = ("config.py", "kubeflow/settings.py", "report.py")
    return [*plain, *(pathlib.Path("pipeline_def", name) for name in pipeline)]


def tests_of(file: pathlib.Path) -> list[str]:
    """Returns the tests of a module: the mirrored file, or else all files of its directory.

    Args:
        file: Path in the repository, such as components/text/options.py.

    Returns:
        Paths of test files.
    """
    beside = "tests" / file.parent
    own = beside / f"test_{file.stem.strip('_')}.py"
    if own.exists() and file.stem != "__init__":
        return [str(own)]
    return [str(path) for path in sorted(beside.glob("test_*.py"), key=lambda path: path != own)]


def _score(file: pathlib.Path, copy: str, most: int) -> None:
    tree = ast.parse(file.read_text())
    found = mutations.edits(tree)
    if not found:
        return
    tests = tests_of(file)
    mutant = pathlib.Path(copy, file)
    mutant.write_text(ast.unparse(tree))
    start = time.monotonic()
    if not tests or warm.outcome(copy, tests, 600) != warm.PASSED:
        said = pathlib.Path(copy, warm.SAID).read_text() if tests else "no tests beside it"
        print(f"{file}: its tests do not pass as it is: {said[-2000:]}", flush=True)
        return
    limit = _GRACE + 3 * (time.monotonic() - start)
    sample = random.Random(str(file)).sample(found, min(most, len(found)))
    survivors, late = [], 0
    for second, edit in enumerate(sorted(sample, key=lambda edit: edit.line)):
        mutant.write_text(mutations.mutate(tree, edit))
        os.utime(mutant, (second, second))  # Else Python may run the last mutant's bytecode.
        code = warm.outcome(copy, tests, limit)
        late += code is None
        if code == warm.PASSED:
            survivors.append(edit)
    shutil.copy(file, mutant)
    killed = 1 - len(survivors) / len(sample)
    print(
        f"| {file} | {len(sample)} of {len(found)} | {killed:.0%} | {late} | {limit:.0f} s |",
        flush=True,
    )
    for edit in survivors:
        print(f"    {file}:{edit.line}  {edit.change}", flush=True)


def main() -> None:
    """Prints a row for each module, and its surviving mutants below."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("files", nargs="*", type=pathlib.Path, help="modules, default: all plain")
    parser.add_argument("--sample", type=int, default=100, help="most mutants a module")
    options = parser.parse_args()
    warm.import_libraries()
    with warm.copy_of_sources() as copy:
        print("| module | mutants | killed | of these by time | limit |\n| - | - | - | - | - |")
        for file in options.files or plain_files():
            _score(file, copy, options.sample)


if __name__ == "__main__":
    main()
