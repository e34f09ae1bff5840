"""Judges `verify` by TensorBoard's own code: `python -m …judge CASES [SEED]`."""

import contextlib
import logging
import os
import pathlib
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator

from components.projector_directory.verify import verify
from tests.components.projector_directory.judge.mutations import mutate, write_templates
from tests.components.projector_directory.judge.oracle import differences
from tests.components.projector_directory.judge.page import Page


def disagreements(cases: int, seed: int, parent: pathlib.Path) -> Iterator[str]:
    """Mutates directories, and yields where `verify` and the page disagree."""
    templates = write_templates(parent)
    with Page() as page:
        for number in range(cases):
            case = f"seed {seed} case {number}"
            chance = random.Random(f"{seed}/{number}")
            template = chance.choice(templates)
            directory = parent / "case"
            shutil.copytree(template, directory)
            done = f"{case}: {template.name}: {mutate(directory, chance)}"
            try:
                violations = verify(str(directory))
            except Exception as error:
                yield f"{done}\n    verify crashes: {error!r}"
            else:
                seen = page.show(directory)
                wrong = seen_wrongly(directory, seen)
                if wrong and not violations:
                    yield f"{done}\n    passes, and is shown wrongly: {wrong[:3]}"
                if violations and not wrong:
                    yield f"{done}\n    is shown rightly: {[str(v) for v in violations[:3]]}"
            shutil.rmtree(directory)


def seen_wrongly(directory: pathlib.Path, seen: dict) -> list[str]:
    try:
        return differences(directory, seen)
    except Exception as error:  # It cannot even be read in the plainest way.
        return [repr(error)]


if __name__ == "__main__":
    logging.disable()
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory() as parent, contextlib.redirect_stderr(open(os.devnull, "w")):
        found = 0
        for disagreement in disagreements(int(sys.argv[1]), seed, pathlib.Path(parent)):
            print(disagreement, flush=True)
            found += 1
    print(f"{found} disagreements in {sys.argv[1]} cases")
