"""Checks `write` and `verify` against TensorBoard's own code: `python -m …judge CASES SEED`."""

import contextlib
import logging
import os
import pathlib
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from components.projector_directory import Tensor, unescape, write
from components.projector_directory.verify import verify
from tests.components.projector_directory.judge.exports import random_tensor
from tests.components.projector_directory.judge.mutations import mutate, write_templates
from tests.components.projector_directory.judge.oracle import differences
from tests.components.projector_directory.judge.page import Page

# The numbers of tensors that a random export may have.
_TENSORS = (1, 15)


def disagreements(page: Page, cases: int, seed: int, parent: pathlib.Path) -> Iterator[str]:
    """Yields the randomly damaged directories on which `verify` and the page disagree."""
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
    """Yields the random tensors that `write` fails on or that the page shows wrongly."""
    chance = random.Random(seed)
    last = 0
    while last < cases:
        first, last = last, min(last + chance.choice(_TENSORS), cases)
        alone = last == first + 1
        tensors = [
            random_tensor(f"t{number}", random.Random(f"{seed}/{number}"), alone)
            for number in range(first, last)
        ]
        if wrong := _exported_wrongly(page, tensors, parent / "export"):
            guilty = [it for it in tensors if _exported_wrongly(page, [it], parent / "export")]
            found = {it.name: it.columns for it in guilty} or "together only"
            yield f"seed {seed} exports {first} to {last}: {found}\n    {wrong[:3]}"


def _exported_wrongly(
    page: Page, tensors: Sequence[Tensor], directory: pathlib.Path
) -> Sequence[str]:
    try:
        write(str(directory), tensors)
        seen = page.show(directory)
        if wrong := _seen_wrongly(directory, seen):
            return wrong
        shown = {tensor["name"].partition("/")[0]: tensor["labels"] for tensor in seen["tensors"]}
        return [
            f"{tensor.name} has the labels {shown[tensor.name]}"
            for tensor in tensors
            if [unescape(label) for label in shown[tensor.name]] != tensor.columns["token"]
        ]
    except Exception as error:
        return [repr(error)]
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _seen_wrongly(directory: pathlib.Path, seen: dict[str, Any]) -> list[str]:
    try:
        return differences(directory, seen)
    except Exception as error:  # Not even the oracle can read the directory.
        return [repr(error)]


def main(cases: int, seed: int) -> None:
    """Prints each disagreement and their number."""
    logging.disable()
    found = 0
    with (
        tempfile.TemporaryDirectory() as parent,
        open(os.devnull, "w") as nowhere,
        contextlib.redirect_stderr(nowhere),
        Page() as page,
    ):
        for judge, number in ((disagreements, cases), (wrong_exports, 10 * cases)):
            for disagreement in judge(page, number, seed, pathlib.Path(parent)):
                print(disagreement, flush=True)
                found += 1
    print(f"{cases} broken directories, {10 * cases} exports, seed {seed}: {found} judged wrongly")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
