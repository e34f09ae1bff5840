"""Rules for a directory as a run of a TensorBoard opened above it."""

import os
import re
from collections.abc import Iterator

import tensorflow as tf

from components.projector_directory.metadata import OBJECT_PROPERTIES
from components.projector_directory.verify.violation import Violation

_RUN_NAME = re.compile(r"[A-Za-z0-9._-]+")


def run_name_problem(directory: str) -> str | None:
    """Returns what is wrong with a directory's name as the name of a run, if anything is."""
    name = os.path.basename(os.path.abspath(directory))
    if name in OBJECT_PROPERTIES:
        return (
            f"the name {name!r} fails as the name of a run: TensorBoard looks it up in a "
            "JavaScript object, which has such a property; take another one"
        )
    if _RUN_NAME.fullmatch(name):
        return None
    return (
        f"the name {name!r} fails as the name of a run: TensorBoard does not encode it in its "
        "requests; take letters, digits, '.', '_' and '-'"
    )


def check_run(directory: str) -> Iterator[Violation]:
    """Checks whether TensorBoard lists a directory, under its name and first."""
    if problem := run_name_problem(directory):
        yield Violation(".", None, problem)
    if not tf.io.gfile.glob(os.path.join(directory, "*tfevents*")):
        yield Violation(
            ".",
            None,
            "there is no event file: TensorBoard lists this directory only when it is the --logdir "
            "itself; write an empty one after everything else",
        )
    if not tf.io.gfile.exists(os.path.join(directory, "checkpoint")):
        return  # A run without a checkpoint takes that of the directory above, if there is one.
    for name in tf.io.gfile.listdir(directory):
        if tf.io.gfile.glob(os.path.join(directory, name, "*tfevents*")):
            yield Violation(
                name.rstrip("/"),
                None,
                "event files below the export make TensorBoard list its tensors a second time, "
                "without labels, and perhaps open them first",
            )
