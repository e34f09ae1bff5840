"""Rules for the configuration, and for the files that it names."""

import dataclasses
import os
from collections import Counter
from collections.abc import Iterator, Sequence

import tensorflow as tf
from google.protobuf import text_format
from tensorboard.plugins.projector import EmbeddingInfo, ProjectorConfig

from components.projector_directory.verify.violation import Finding, Violation

CONFIG = "projector_config.pbtxt"


@dataclasses.dataclass(frozen=True)
class Entry:
    """An entry of the configuration.

    Attributes:
        name: The tensor for which the server uses it; empty for all tensors of the checkpoint
            without an entry of their own.
        info: The entry.
    """

    name: str
    info: EmbeddingInfo


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


def name_entries(config: ProjectorConfig) -> Finding[list[Entry]]:
    """Returns the entries that the server finds, one for each name."""
    in_file = next((n for n, info in enumerate(config.embeddings) if info.tensor_path), None)
    entries: list[Entry] = []
    for number, info in enumerate(config.embeddings):
        name = info.tensor_name.removesuffix(":0")
        if not name and number == in_file:  # The server names this one alone.
            name = os.path.basename(info.tensor_path)
        if not name and (number or info.tensor_path):
            yield Violation(CONFIG, None, f"entry {number} has no tensor_name and is not found")
        else:
            entries.append(Entry(name, info))
    yield from _check_names(entries)
    first = {entry.name: entry for entry in reversed(entries)}
    return [entry for entry in entries if first[entry.name] is entry]


def _check_names(entries: Sequence[Entry]) -> Iterator[Violation]:
    for name, count in Counter(entry.name for entry in entries).items():
        if count > 1:
            yield Violation(
                CONFIG, None, f"tensor {name!r} has {count} entries: only the first is found"
            )


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
