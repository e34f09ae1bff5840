"""Judges `write` and `verify` by TensorBoard's own code: `python -m …judge CASES SEED`."""

import contextlib
import logging
import os
import pathlib
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from components.projector_directory import unescape, write
from components.projector_directory.verify import verify
from tests.components.projector_directory.judge.exports import random_tensor
from tests.components.projector_directory.judge.mutations import mutate, write_templates
from tests.components.projector_directory.judge.oracle import differences
from tests.components.projector_directory.judge.page import Page


def disagreements(page: Page, cases: int, seed: int, parent: pathlib.Path) -> Iterator[str]:
    """Breaks directories, and yields where `verify` and the page disagree."""
    templates = write_templates(parent)
    for number in range(cases):
        chance = random.Random(f"{seed}/{number}")
        template = chance.choice(templates)
        directory = parent / "case"
        shutil.copytree(template, directory)
        done = f"seed {seed} case {number}: {template.name}: {mutate(directory, chance)}"
        try:
            violations = verify(str(directory))
        except Exception as error:
            yield f"{done}\n    verify crashes: {error!r}"
        else:
            wrong = _seen_wrongly(directory, page.show(directory))
            if wrong and not violations:
                yield f"{done}\n    passes, and is shown wrongly: {wrong[:3]}"
            if violations and not wrong:
                yield f"{done}\n    is shown rightly: {[str(v) for v in violations[:3]]}"
        shutil.rmtree(directory)


def wrong_exports(page: Page, cases: int, seed: int, parent: pathlib.Path) -> Iterator[str]:
    """Writes directories, and yields those that fail or are not shown as they were meant."""
    for number in range(cases):
        tensor = random_tensor(random.Random(f"{seed}/{number}"))
        directory = parent / "export"
        try:
            write(str(directory), [tensor])
            seen = page.show(directory)
            wrong = _seen_wrongly(directory, seen)
            labels = [unescape(label) for label in seen["tensors"][0]["labels"]]
        except Exception as error:
            wrong = [repr(error)]
        else:
            if labels != tensor.columns["token"]:
                wrong.append(f"the labels {labels}")
        if wrong:
            yield f"seed {seed} export {number}: {tensor.columns}\n    {wrong[:3]}"
        shutil.rmtree(directory, ignore_errors=True)


def _seen_wrongly(directory: pathlib.Path, seen: dict[str, Any]) -> list[str]:
    try:
        return differences(directory, seen)
    except Exception as error:  # It cannot even be read in the plainest way.
        return [repr(error)]


def main(cases: int, seed: int) -> None:
    """Prints what is found, and how much that is."""
    logging.disable()
    found = 0
    with (
        tempfile.TemporaryDirectory() as parent,
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stderr(nowhere),
        Page() as page,
    ):
        for judge in (disagreements, wrong_exports):
            for disagreement in judge(page, cases, seed, pathlib.Path(parent)):
                print(disagreement, flush=True)
                found += 1
    print(f"{cases} broken and {cases} written directories, seed {seed}: {found} judged wrongly")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
