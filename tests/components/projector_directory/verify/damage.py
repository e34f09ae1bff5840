"""Ways to damage a valid projector directory."""

import pathlib
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from components.projector_directory.verify import verify

Found = list[tuple[int | None, str]]

NAME = 'tensor_name: "embedding/.ATTRIBUTES/VARIABLE_VALUE"'


def violations_with(
    export: pathlib.Path, file: str, content: bytes
) -> list[tuple[int | None, str]]:
    """Replaces a file and returns row and problem of each violation; all must name the file."""
    (export / file).write_bytes(content)
    violations = verify(str(export))
    assert {violation.file for violation in violations} <= {file}
    return [(violation.row, violation.problem) for violation in violations]


def save(export: pathlib.Path, **values: np.ndarray) -> None:
    """Replaces the checkpoint by one with these variables."""
    variables = {name: tf.Variable(value) for name, value in values.items()}
    tf.train.Checkpoint(**variables).write(str(export / "embedding.ckpt-1"))


def without_checkpoint(export: pathlib.Path) -> None:
    (export / "checkpoint").unlink()


def configured(text: str) -> Callable[[pathlib.Path], None]:
    """Returns a function that replaces the configuration by a text."""

    def configure(export: pathlib.Path) -> None:
        (export / "projector_config.pbtxt").write_text(text)

    return configure
