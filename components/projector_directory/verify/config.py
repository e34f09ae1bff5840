"""Rules for the configuration, and for the files that it names."""

import os

import tensorflow as tf
from google.protobuf import text_format
from tensorboard.plugins.projector import ProjectorConfig

from components.projector_directory.verify.violation import Finding, Violation

CONFIG = "projector_config.pbtxt"


def read_config(directory: str) -> Finding[ProjectorConfig | None]:
    """Reads the configuration; returns None if the server cannot."""
    path = os.path.join(directory, CONFIG)
    if not tf.io.gfile.exists(path):
        yield Violation(CONFIG, None, "is missing: nothing ties labels to the tensors")
        return None
    try:
        with tf.io.gfile.GFile(path, "r") as file:
            return text_format.Parse(file.read(), ProjectorConfig())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        yield Violation(
            CONFIG, None, f"cannot be parsed, and no run of this TensorBoard opens: {error}"
        )
        return None


def find_asset(directory: str, path: str) -> Finding[str | None]:
    """Returns the full path of a configured file; None if the server would not read it."""
    full = os.path.join(directory, os.path.expanduser(path))
    root = os.path.realpath(directory)
    if os.path.commonpath([root, os.path.realpath(full)]) != root:
        yield Violation(
            CONFIG, None, f"{path!r} lies outside the directory: TensorBoard refuses it"
        )
    elif not tf.io.gfile.exists(full) or tf.io.gfile.isdir(full):
        yield Violation(CONFIG, None, f"{path!r} is not a file")
    else:
        return full
    return None
