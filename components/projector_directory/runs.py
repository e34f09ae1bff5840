"""Directories that TensorBoard lists as runs: named, made whole or not at all, published.

TensorBoard lists every directory with an event file, hidden ones too, and reads it once. So the
event file is written last, under the final name, when all else is there.
"""

import contextlib
import datetime
import itertools
import os
import re
import uuid
from collections.abc import Iterator

import tensorflow as tf

_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def run_name(prefix: str) -> str:
    """Names a new run after the time.

    Args:
        prefix: What the name begins with.

    Returns:
        The prefix and the time in UTC, such as 'imdb-20261122-134002'.
    """
    return f"{prefix}-{datetime.datetime.now(datetime.timezone.utc):%Y%m%d-%H%M%S}"


def check_prefix(prefix: str) -> None:
    """Refuses what no run's name can begin with.

    Args:
        prefix: See `run_name`.

    Raises:
        ValueError: It holds a character that TensorBoard does not encode in its requests, or
            would make a hidden directory.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(
            f"run_prefix is {prefix!r}; expected a letter or digit, then letters, digits, '.', '_' "
            "and '-': TensorBoard does not encode others in its requests."
        )


@contextlib.contextmanager
def new_run(directory: str) -> Iterator[str]:
    """Makes the directory of a run.

    During the ``with`` block it has a hidden name beside the final one, but for URIs such as
    'gs://…', as object stores have no directories to rename. After the block it gets its name and
    an empty event file. If anything fails, nothing is left; if the process is killed, what is left
    is not listed.

    Args:
        directory: Where to; missing or empty.

    Yields:
        The directory to write the files to.

    Raises:
        FileExistsError: The directory is not empty: runs are never changed in place, because a
            running TensorBoard would mix the old with the new.
    """
    if tf.io.gfile.exists(directory) and tf.io.gfile.listdir(directory):
        raise _not_empty(directory)
    place = directory if "://" in directory else _hidden(directory)
    try:
        tf.io.gfile.makedirs(place)
        yield place
        if place != directory:
            _rename(place, directory)
            place = directory
        tf.summary.create_file_writer(directory).close()
    except BaseException:
        with contextlib.suppress(tf.errors.OpError):  # What went wrong first is what to tell.
            tf.io.gfile.rmtree(place)
        raise


def publish_run(directory: str, publish_dir: str) -> str:
    """Copies a run into a directory of runs, under a name that is free there.

    Args:
        directory: The run's directory.
        publish_dir: The directory of runs; made if it is missing. Local, or of any file system of
            `tf.io.gfile`.

    Returns:
        The directory of the copy: in `publish_dir`, of the run's name or, where that is taken, of
        the name with '-2', '-3' and so on.

    Raises:
        OSError: It cannot be written; nothing of it is left.
    """
    target = wanted = os.path.join(publish_dir, os.path.basename(directory))
    numbers = itertools.count(2)
    while True:
        try:
            with new_run(target) as unfinished:
                _copy_files(directory, unfinished)
            return target
        except FileExistsError:
            target = f"{wanted}-{next(numbers)}"
        except tf.errors.OpError as error:
            raise OSError(
                f"The projection could not be published to {publish_dir}: {error.message}. "
                "Make publish_dir a directory that this step may write to, with room for it."
            ) from error


def _copy_files(source: str, target: str) -> None:
    for folder, _, names in tf.io.gfile.walk(source):
        below = os.path.relpath(folder, source)
        place = target if below == "." else os.path.join(target, below)
        tf.io.gfile.makedirs(place)
        for name in sorted(names):
            if "tfevents" not in name:  # The copy gets its own.
                tf.io.gfile.copy(os.path.join(folder, name), os.path.join(place, name))


def _hidden(directory: str) -> str:
    parent, name = os.path.split(directory)
    return os.path.join(parent, f".{name}.unfinished-{uuid.uuid4().hex[:8]}")


def _rename(unfinished: str, directory: str) -> None:
    try:
        # An empty directory of the final name is replaced.
        tf.io.gfile.rename(unfinished, directory, overwrite=True)
    except tf.errors.FailedPreconditionError as error:  # Another one has been faster.
        raise _not_empty(directory) from error


def _not_empty(directory: str) -> FileExistsError:
    return FileExistsError(f"{directory} is not empty; exports are not changed in place.")
