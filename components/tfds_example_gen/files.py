"""Reads labelled text from files: its splits, its classes and its digest."""

import collections
import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence

from etils import epath

from components.tfds_example_gen import file_formats
from components.tfds_example_gen.file_formats import Columns, FileError

MAX_CLASSES = 1000
_SPLIT = re.compile(r"[A-Za-z_]\w*", re.ASCII)


@dataclasses.dataclass(frozen=True)
class TextFiles:
    """Files with labelled text.

    Attributes:
        files: For each split a file, a pattern such as 'part-*.csv.gz', or a directory with a
            subdirectory of text files for each class; paths or gs:// URIs.
        columns: Which columns to read; the names do not matter for directories.
    """

    files: Mapping[str, str]
    columns: Columns

    def __post_init__(self) -> None:
        for split in self.files:
            if not _SPLIT.fullmatch(split) or split == "all":
                raise ValueError(
                    f"files has the split {split!r}; expected letters, digits and underscores, and "
                    "not 'all', which TFDS keeps for all splits together."
                )
        if not self.files:
            raise ValueError("files is empty; expected a file, pattern or directory for a split.")

    def to_json(self) -> str:
        """Returns the fields in JSON, for `from_json`."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, content: str) -> "TextFiles":
        """Returns the files that `to_json` described."""
        fields = json.loads(content)
        return cls(fields["files"], Columns(**fields["columns"]))

    def digest(self) -> str:
        """Digests the contents of all files, and how they are read.

        A file's path and age do not count, but its suffix, which names the format, and the
        directory that names its class do.

        Returns:
            64 hexadecimal digits.
        """
        splits = {
            split: [
                [file_formats.suffix(path), label, _digest(path)]
                for path, label in _sources(pattern)
            ]
            for split, pattern in self.files.items()
        }
        content = [splits, dataclasses.asdict(self.columns)]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def digests(self) -> dict[str, str]:
        """Returns the SHA-256 digest of each file, in hexadecimal digits, by its path."""
        return {
            str(path): _digest(path)
            for pattern in self.files.values()
            for path, _ in _sources(pattern)
        }

    def read(self, split: str) -> Iterator[tuple[str, str]]:
        """Yields the texts of a split with their labels, in the order of the files.

        Raises:
            FileError: There is no file, or a file is empty, or its columns differ from those of
                the files before it, or it has a row without label or one that cannot be read.
        """
        sources = _sources(self.files[split])
        _require_same_columns([path for path, label in sources if label is None], self.columns)
        for path, label in sources:
            if label is not None:
                yield file_formats.text(path, self.columns.encoding), label
                continue
            count = 0
            for count, row in enumerate(file_formats.rows(path, self.columns), 1):  # noqa: B007
                yield row
            if not count:
                raise FileError(f"{path}: the file is empty; expected at least one row.")

    def class_names(self) -> list[str]:
        """Reads all files, and returns the names of the classes.

        Returns:
            The different labels of all splits, sorted.

        Raises:
            FileError: A file cannot be read; or the labels do not look like classes; or a split
                has a class that the split 'train' does not have.
        """
        counts = {
            split: collections.Counter(label for _, label in self.read(split))
            for split in self.files
        }
        names = sorted(set().union(*counts.values()))
        rows = sum(count.total() for count in counts.values())
        if len(names) < 2:
            raise FileError(
                f"{', '.join(self.files.values())}: all {rows} rows have the label {names[0]!r} in "
                f"{self.columns.label!r}; expected two classes or more."
            )
        if len(names) > MAX_CLASSES or len(names) == rows > 2:
            raise FileError(
                f"The label {self.columns.label!r} has {len(names)} different values in {rows} "
                f"rows, such as {names[:3]}; expected at most {MAX_CLASSES} classes, and several "
                "rows of most. It is probably the wrong column."
            )
        for split, count in counts.items():
            unseen = sorted(count.keys() - counts.get("train", names))
            if unseen:
                raise FileError(
                    f"{self.files[split]}: the class {unseen[0]!r} is in {split!r} but not in "
                    f"'train' ({self.files['train']}), so that no model can learn it."
                )
        return names


def _sources(pattern: str) -> list[tuple[epath.Path, str | None]]:
    """Returns the files of a split, in order, each with its class if its directory names one."""
    place = epath.Path(pattern).expanduser()
    if place.is_dir():
        classes = [child for child in _visible(place) if child.is_dir()]
        texts = [(path, label.name) for label in classes for path in _visible(label)]
        if not texts:
            raise FileError(
                f"{place}: expected a subdirectory with text files for each class, found none. "
                "Name CSV files and the like by a pattern, such as 'DIRECTORY/*.csv'."
            )
        return texts
    paths = [place] if place.exists() else sorted(place.parent.glob(place.name))
    if not paths:
        raise FileError(f"{place}: there is no such file, and none that matches it as a pattern.")
    for path in paths:
        if file_formats.suffix(path) not in file_formats.SUFFIXES:
            raise FileError(
                f"{path}: expected a name that ends in {', '.join(file_formats.SUFFIXES)}, or in "
                "one of these and .gz, or a directory with a subdirectory for each class."
            )
    return [(path, None) for path in paths]


def _require_same_columns(paths: Sequence[epath.Path], columns: Columns) -> None:
    for path in paths[1:]:
        names, others = (file_formats.column_names(it, columns) for it in (path, paths[0]))
        if sorted(names) != sorted(others):
            raise FileError(
                f"{path}: its columns are {names}, but those of {paths[0]} are {others}; expected "
                "the same columns in all files of a split."
            )


def _visible(directory: epath.Path) -> list[epath.Path]:
    return sorted(child for child in directory.iterdir() if not child.name.startswith("."))


def _digest(path: epath.Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
