"""Reserves a pipeline's directory for one run at a time."""

import contextlib
import datetime
import fcntl
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import TextIO
from unittest import mock

from pipeline_def.config import ConfigError

_OF_PATTERNS = set("*?[\\")


@contextlib.contextmanager
def claimed(root: pathlib.Path) -> Iterator[None]:
    """Creates a pipeline's directory and locks it against other runs during a ``with`` block.

    Temporary files go into the directory and are removed at the end of the block; those of a killed
    run are removed at the start of the next one.

    Args:
        root: The directory, absolute; it may be missing.

    Raises:
        ConfigError: The directory cannot be written to, another run writes to it, or TFX would take
            its path for a pattern of names.
    """
    if set(str(root)) & _OF_PATTERNS:
        raise ConfigError(
            f"output_dir: {root} holds one of {' '.join(sorted(_OF_PATTERNS))}, with which TFX "
            "would take it for a pattern of names. Set output_dir to a path without them."
        )
    with contextlib.ExitStack() as stack:
        try:
            root.mkdir(parents=True, exist_ok=True)
            _lock(stack.enter_context((root / ".lock").open("a+")), root)
            temporary = root / "tmp"
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
        except OSError as error:
            raise ConfigError(
                f"output_dir: {root} cannot be used: {error.strerror} ({error.filename}). Set "
                "output_dir to a directory that you may write to."
            ) from error
        stack.callback(shutil.rmtree, temporary, ignore_errors=True)
        stack.enter_context(mock.patch.dict(os.environ, TMPDIR=str(temporary)))  # Of processes.
        stack.enter_context(mock.patch.object(tempfile, "tempdir", str(temporary)))
        yield


def _lock(file: TextIO, root: pathlib.Path) -> None:
    try:
        # The system unlocks the file when the process ends, however it ends.
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        raise ConfigError(
            f"Another run of this pipeline, {file.read() or 'just started'}, writes to {root}. "
            "Wait until it ends, or end it; or set another output_dir or name."
        ) from None
    file.truncate(0)
    file.write(f"process {os.getpid()} since {datetime.datetime.now():%Y-%m-%d %H:%M:%S}")
    file.flush()
