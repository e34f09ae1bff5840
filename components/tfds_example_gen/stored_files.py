"""Stores labelled text of files as a TFDS dataset."""

import contextlib
from collections.abc import Iterator

import tensorflow_datasets as tfds
from tensorflow_datasets.core import shuffle

from components.text.features import LABEL, TEXT
from components.tfds_example_gen import prepared
from components.tfds_example_gen.files import TextFiles

_DATASET = "text_files"
_VERSION = "1.0.0"
# TFDS shuffles more than so many bytes on disk. Its own bound of 1 GB would double the memory of
# this process.
_SHUFFLED_IN_MEMORY = 2**27


def store(files: TextFiles, data_dir: str | None = None) -> str:
    """Stores files as a dataset under a config named by their digest, unless it is there already.

    Args:
        files: The files.
        data_dir: Directory of prepared datasets; see `prepared.load`.

    Returns:
        The dataset's name, 'text_files/<digest>:1.0.0'. Its features are TEXT and LABEL.

    Raises:
        ValueError: A file or row cannot be used; nothing is stored then.
    """
    config = files.digest()[:32]
    directory = prepared.data_root(data_dir) / _DATASET / config / _VERSION
    # TFDS gives the directory its name when it is complete.
    if not directory.exists():
        label = tfds.features.ClassLabel(names=files.class_names())
        with _little_memory():
            tfds.dataset_builders.store_as_tfds_dataset(
                name=_DATASET,
                config=config,
                version=_VERSION,
                features=tfds.features.FeaturesDict({TEXT: tfds.features.Text(), LABEL: label}),
                # TFDS orders examples by a hash of their key, so that sorted files end up shuffled.
                split_datasets={
                    split: (
                        (row, {TEXT: text, LABEL: name})
                        for row, (text, name) in enumerate(files.read(split))
                    )
                    for split in files.files
                },
                data_dir=directory.parents[2],
                description="\n".join(
                    f"{path} sha256:{it}" for path, it in files.digests().items()
                ),
            )
    return f"{_DATASET}/{config}:{_VERSION}"


@contextlib.contextmanager
def _little_memory() -> Iterator[None]:
    """Lets TFDS shuffle in less memory, for a ``with`` block."""
    bound = shuffle.MAX_MEM_BUFFER_SIZE
    shuffle.MAX_MEM_BUFFER_SIZE = _SHUFFLED_IN_MEMORY
    try:
        yield
    finally:
        shuffle.MAX_MEM_BUFFER_SIZE = bound
