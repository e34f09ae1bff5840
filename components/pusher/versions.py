"""Versions of a model in a directory that TensorFlow Serving watches.

TensorFlow Serving loads the subdirectory whose name is the highest number, and ignores
subdirectories whose names are no numbers (`FileSystemStoragePathSource`).
"""

import contextlib
import hashlib
import os
import time
import uuid

import tensorflow as tf

# TensorFlow Serving takes a SavedModel for complete once it has this file, so it comes last.
_LAST = "saved_model.pb"


def version_of(saved_model: str, directory: str) -> str:
    """Returns the version under which a directory serves a model, or has to.

    Args:
        saved_model: Directory of the SavedModel.
        directory: Directory or URI of the versions; it may be missing.

    Returns:
        The newest version in the directory if its files are those of the model, and otherwise a
        newer one: the time in seconds since 1970.
    """
    newest = max(_versions(directory), default=0)
    if newest and _digest(os.path.join(directory, str(newest))) == _digest(saved_model):
        return str(newest)
    return str(max(int(time.time()), newest + 1))


def push(saved_model: str, directory: str, version: str) -> str:
    """Copies a model to a version of a directory, unless that version exists.

    The copy is renamed to its final name when it is complete. At URIs such as 'gs://…' it has that
    name from the start, because object stores have no directories to rename.

    Args:
        saved_model: Directory of the SavedModel.
        directory: Directory or URI of the versions.
        version: A number.

    Returns:
        The directory of the version.

    Raises:
        OSError: The model cannot be copied; nothing of the copy is left.
    """
    target = os.path.join(directory, version)
    if tf.io.gfile.exists(target):
        return target
    hidden = f".{version}.unfinished-{uuid.uuid4().hex[:8]}"
    place = target if "://" in directory else os.path.join(directory, hidden)
    try:
        for file in sorted(_files(saved_model), key=lambda file: file == _LAST):
            copy = os.path.join(place, file)
            tf.io.gfile.makedirs(os.path.dirname(copy))
            tf.io.gfile.copy(os.path.join(saved_model, file), copy)
        if place != target:
            tf.io.gfile.rename(place, target)
    except BaseException as error:
        with contextlib.suppress(tf.errors.OpError):  # The first error is the one to report.
            tf.io.gfile.rmtree(place)
        if isinstance(error, tf.errors.OpError):
            raise OSError(
                f"The model could not be pushed to {directory}: {error.message}. Make it a "
                "directory that this step may write to, with room for the model."
            ) from error
        raise
    return target


def _versions(directory: str) -> list[int]:
    if not tf.io.gfile.isdir(directory):
        return []
    names = (name.rstrip("/") for name in tf.io.gfile.listdir(directory))
    return [int(name) for name in names if name.isdecimal()]


def _files(directory: str) -> list[str]:
    return [
        os.path.relpath(os.path.join(folder, name), directory)
        for folder, _, names in tf.io.gfile.walk(directory)
        for name in names
    ]


def _digest(directory: str) -> str:
    digest = hashlib.sha256()
    for file in sorted(_files(directory)):
        digest.update(f"{file}\0".encode())
        with tf.io.gfile.GFile(os.path.join(directory, file), "rb") as content:
            while block := content.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
