"""Names, creates and publishes the directories that TensorBoard lists as runs.

TensorBoard lists every directory that holds an event file, hidden ones too, and reads it once.
Therefore the event file is written last, when all else is there under the final name.
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
    """Returns a name for a new run.

    Args:
        prefix: The start of the name.

    Returns:
        The prefix and the time in UTC, such as 'imdb-20261122-134002'.
    """
    return f"{prefix}-{datetime.datetime.now(datetime.timezone.utc):%Y%m%d-%H%M%S}"


def check_prefix(prefix: str) -> None:
    """Refuses a prefix that would make an unusable name.

    Args:
        prefix: See `run_name`.

    Raises:
        ValueError: It holds a character that TensorBoard does not encode in its requests, or
            begins with one that makes a hidden directory or an option of a command line.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(
            f"run_prefix is {prefix!r}; expected a letter or digit, then letters, digits, '.', '_' "
            "and '-': TensorBoard does not encode others in its requests."
        )


@contextlib.contextmanager
def new_run(directory: str) -> Iterator[str]:
    """Creates the directory of a run.

    During the ``with`` block the directory has a hidden name; after it, the directory is renamed
    and gets an empty event file. At URIs such as 'gs://…' it has its final name from the start,
    because object stores have no directories to rename. A failure leaves nothing; a killed process
    leaves a directory that TensorBoard does not list.

    Args:
        directory: The final directory; missing or empty.

    Yields:
        The directory to write to.

    Raises:
        FileExistsError: The directory is not empty. A run is never changed in place, because a
            running TensorBoard would mix old files with new ones.
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
        with contextlib.suppress(tf.errors.OpError):  # The first error is the one to report.
            tf.io.gfile.rmtree(place)
        raise


def publish_run(directory: str, publish_dir: str) -> str:
    """Copies a run into a directory of runs, under a name that is free there.

    Args:
        directory: The run's directory.
        publish_dir: The directory of runs, created if it is missing; on any file system of
            `tf.io.gfile`.

    Returns:
        The directory of the copy. It has the run's name or, where that is taken, the name followed
        by '-2', '-3' and so on.

    Raises:
        OSError: The copy cannot be written; nothing of it is left.
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


def is_copy(copy: str, directory: str) -> bool:
    """Returns whether a copy that `publish_run` made has all files of the run.

    Args:
        copy: The directory of the copy; it may be missing.
        directory: The run's directory.

    Returns:
        False if a file is missing, or has another size than the run's.
    """
    sizes = _sizes(directory)
    return bool(sizes) and _sizes(copy) == sizes


def _sizes(directory: str) -> dict[str, int]:
    """Returns the size of each file; event files, whose names hold the time, have one name."""
    return {
        "tfevents" if "tfevents" in name else os.path.relpath(path, directory): size
        for folder, _, names in tf.io.gfile.walk(directory)
        for name in names
        for path in [os.path.join(folder, name)]
        for size in [tf.io.gfile.stat(path).length]
    }


def _copy_files(source: str, target: str) -> None:
    for folder, _, names in tf.io.gfile.walk(source):
        below = os.path.relpath(folder, source)
        place = target if below == "." else os.path.join(target, below)
        tf.io.gfile.makedirs(place)
        for name in sorted(names):
            if "tfevents" not in name:  # `new_run` writes one for the copy.
                tf.io.gfile.copy(os.path.join(folder, name), os.path.join(place, name))


def _hidden(directory: str) -> str:
    parent, name = os.path.split(directory)
    return os.path.join(parent, f".{name}.unfinished-{uuid.uuid4().hex[:8]}")


def _rename(unfinished: str, directory: str) -> None:
    try:
        # Replaces an empty directory, such as TFX creates for an output.
        tf.io.gfile.rename(unfinished, directory, overwrite=True)
    except tf.errors.FailedPreconditionError as error:  # Another process was faster.
        raise _not_empty(directory) from error


def _not_empty(directory: str) -> FileExistsError:
    return FileExistsError(
        f"{directory} is not empty, and a run is not changed in place; take another directory."
    )
