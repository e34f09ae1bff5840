"""Writes a configuration for files with labelled text: ``python -m pipeline_def init reviews.csv``.

The text is the column with the longest values; the label is one with a usual name or, if there is
none, the one with the fewest different values. All guesses are printed and can be edited.
"""

import collections
import csv
import dataclasses
import io
import itertools
import json
import pathlib
import re
import statistics
import sys
from collections.abc import Iterable, Mapping
from typing import IO, Any

import yaml
from etils import epath
from pyarrow import parquet

from components.tfds_example_gen import file_formats
from components.tfds_example_gen.file_formats import Columns
from components.tfds_example_gen.files import MAX_CLASSES, TextFiles

_USUAL_LABELS = ("label", "class", "category", "sentiment", "stars", "rating", "topic", "target")
_EVAL_NAMES = ("eval", "test", "valid", "validation", "dev", "val")
_ENCODINGS = ("utf8", "utf16", "cp1252")
_SAMPLED_ROWS = 100_000
_SAMPLED_BYTES = 2**22
# A first row with a longer value, in characters, is no header.
_LONGEST_NAME = 60


@dataclasses.dataclass(frozen=True)
class _Table:
    """The first rows of a file, and how it is read.

    Attributes:
        rows: Values by column.
        options: Keys of the section `dataset` that are not the defaults.
    """

    rows: dict[str, list[str]]
    options: dict[str, Any]


def main(arguments: list[str]) -> None:
    """Writes a configuration, and prints what it guessed; overwrites nothing.

    Args:
        arguments: One file or directory to split, or one to train on and one to evaluate on.

    Raises:
        SystemExit: The files cannot be used, or the configuration exists.
    """
    if len(arguments) not in (1, 2) or arguments[0].startswith("-"):
        sys.exit("Usage: python -m pipeline_def init FILE, or init TRAIN_FILE EVAL_FILE")
    name = re.sub(r"[^a-z0-9]+", "-", pathlib.Path(arguments[0]).name.lower().split(".")[0])
    name = name[:100].strip("-") or "reviews"
    target = pathlib.Path(f"{name}.yaml")
    if target.exists():
        sys.exit(f"{target} exists. Move or remove it, or edit it instead.")
    try:
        dataset, count = _describe(_splits(arguments))
    except ValueError as error:
        sys.exit(str(error))
    majority = max(count.values()) / count.total()
    text = _write(name, dataset, majority)
    with target.open("x", encoding="utf-8") as file:
        file.write(text)
    classes = ", ".join(f"{label} {n / count.total():.0%}" for label, n in count.most_common(5))
    more = f" and {len(count) - 5} more" if len(count) > 5 else ""
    print(f"Rows:    {count.total():,}")
    print(f"Text:    {dataset.get('text_feature', 'the files of the subdirectories')}")
    print(f"Label:   {dataset.get('label_feature', 'the subdirectories')}: {classes}{more}")
    options = ("encoding", "delimiter", "quote_char", "column_names")
    guessed = ", ".join(f"{key} {dataset[key]!r}" for key in options if key in dataset)
    if guessed:
        print(f"Read as: {guessed}")
    print(f"Splits:  train on {dataset.get('train', 'train')}, ", end="")
    print(f"evaluate on {dataset.get('eval', 'eval')}")
    print(f"Wrote {target}. Look through it, then call: PIPELINE_CONFIG={target} make run")


def _splits(arguments: list[str]) -> dict[str, str]:
    """Returns the files by the name of their split."""
    if len(arguments) == 2:
        return {"train": arguments[0], "eval": arguments[1]}
    directory = pathlib.Path(arguments[0])
    train = [directory / "train"] if (directory / "train").is_dir() else []
    others = [directory / name for name in _EVAL_NAMES if (directory / name).is_dir()]
    if train and others:
        return {"train": str(train[0]), "eval": str(others[0])}
    return {"data": arguments[0]}


def _describe(files: Mapping[str, str]) -> tuple[dict[str, Any], collections.Counter[str]]:
    """Returns the section `dataset`, and the number of rows of each class."""
    dataset: dict[str, Any] = {"files": dict(files)}
    columns = Columns("text", "label")
    first = pathlib.Path(next(iter(files.values()))).expanduser()
    if not first.is_dir():
        table = _sample(first)
        text, label = _text_and_label(first, table.rows)
        dataset |= {"text_feature": text, "label_feature": label, **table.options}
        columns = Columns(text, label, **table.options)
    if "data" in files:
        dataset |= {"train": "data[:90%]", "eval": "data[90%:]"}
    read = TextFiles(files, columns)
    read.class_names()  # Refuses what a run would refuse.
    labels = itertools.chain.from_iterable(map(read.read, files))
    return dataset, collections.Counter(label for _, label in labels)


def _sample(path: pathlib.Path) -> _Table:
    """Reads the first rows of a file.

    Raises:
        ValueError: There is no such file, or its format or encoding is unknown.
    """
    if any(character in path.name for character in "*?["):
        path = next(iter(sorted(path.parent.glob(path.name))), path)
    kind = file_formats.suffix(epath.Path(path))
    if not path.is_file() or kind not in file_formats.SUFFIXES:
        raise ValueError(
            f"{path}: expected a file that ends in {', '.join(file_formats.SUFFIXES)} (also .gz), "
            "or a directory."
        )
    if kind == ".parquet":
        batch = next(parquet.ParquetFile(path).iter_batches(batch_size=_SAMPLED_ROWS))
        return _Table(_columns(batch.to_pylist()), {})
    with file_formats.uncompressed(epath.Path(path)) as file:
        content = _head(file)
    text, encoding = _decode(path, content)
    if not text.strip():
        raise ValueError(f"{path}: the file is empty; expected at least one row.")
    options = {} if encoding == "utf8" else {"encoding": encoding}
    if kind == ".jsonl":
        lines = (line for line in text.split("\n") if line.strip())
        return _Table(_columns(map(json.loads, lines)), options)
    return _sample_csv(text, "\t" if kind == ".tsv" else ",", options)


def _sample_csv(text: str, usual: str, options: dict[str, Any]) -> _Table:
    """Reads rows with the delimiter and quotes by which most rows have equally many values."""

    def rows(delimiter: str, quote_char: str) -> list[list[str]]:
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=delimiter, quotechar=quote_char
        )
        return [row for row in itertools.islice(reader, _SAMPLED_ROWS) if row]

    def fitness(dialect: tuple[str, str]) -> tuple[float, int]:
        widths = collections.Counter(map(len, rows(*dialect)))
        (width, count), *_ = widths.most_common(1)
        delimiter, quote_char = dialect
        quoted = text.count(delimiter + quote_char) + text.count(quote_char + delimiter)
        return count / widths.total() if width > 1 else 0, quoted

    dialects = [(d, q) for d in dict.fromkeys((usual, ",", ";", "\t", "|")) for q in ('"', "'")]
    delimiter, quote_char = max(dialects, key=fitness)  # The first of equal ones: the usual one.
    table = rows(delimiter, quote_char)
    if delimiter != usual:
        options = {**options, "delimiter": delimiter}
    if quote_char != '"':
        options = {**options, "quote_char": quote_char}
    header = table[0]
    named = len(set(header)) == len(header) and not any(
        name.strip() in ("", *values) or len(name) > _LONGEST_NAME or _is_number(name)
        for name, values in zip(header, zip(*table[1:], strict=False), strict=False)
    )
    if named:
        table = table[1:]
    else:
        header = [f"column_{number}" for number in range(1, len(header) + 1)]
        options = {**options, "column_names": header}
    whole = [row for row in table if len(row) == len(header)]
    return _Table(dict(zip(header, map(list, zip(*whole, strict=True)), strict=False)), options)


def _head(file: IO[bytes]) -> bytes:
    """Returns the first bytes of a file, up to the end of a line."""
    content = file.read(_SAMPLED_BYTES)
    return content if len(content) < _SAMPLED_BYTES else content[: content.rfind(b"\n") + 1]


def _decode(path: pathlib.Path, content: bytes) -> tuple[str, str]:
    for encoding in _ENCODINGS:
        if encoding == "utf16" and content[:2] not in (b"\xff\xfe", b"\xfe\xff"):
            continue
        try:
            return content.decode("utf-8-sig" if encoding == "utf8" else encoding), encoding
        except UnicodeDecodeError:
            continue
    raise ValueError(f"{path}: its encoding is none of {', '.join(_ENCODINGS)}.")


def _text_and_label(path: pathlib.Path, rows: Mapping[str, list[str]]) -> tuple[str, str]:
    """Guesses the columns of the text and of the label."""
    if not any(rows.values()):
        raise ValueError(f"{path}: the file has no rows; expected at least one.")
    text = max(rows, key=lambda name: statistics.fmean(map(len, rows[name])))
    classes = {
        name: len(set(values))
        for name, values in rows.items()
        if name != text and len(set(values)) <= min(MAX_CLASSES, max(2, len(values) // 2))
    }
    if not classes:
        raise ValueError(
            f"{path}: expected a column that can be the label, with few different values, beside "
            f"the text in {text!r}; found {', '.join(map(repr, rows))}."
        )

    def likeliness(name: str) -> tuple[bool, bool, int]:
        # A constant column is hardly a label, unless these are the first rows of a sorted file.
        usual = name.split("/")[-1].strip().lower() in _USUAL_LABELS
        return usual, classes[name] > 1, -classes[name]

    return text, max(classes, key=likeliness)


def _columns(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Returns the values of each field; a nested field has a name such as 'review/text'."""
    flat = [dict(file_formats.flat(row)) for row in rows]
    names = dict.fromkeys(itertools.chain.from_iterable(flat))
    return {name: _texts([row.get(name) for row in flat]) for name in names}


def _texts(values: list[Any]) -> list[str]:
    return ["" if value is None else str(value) for value in values]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _write(name: str, dataset: Mapping[str, Any], majority: float) -> str:
    content = {"name": name, "dataset": dict(dataset)}
    minimum = round(majority + (1 - majority) / 4, 4)  # `majority` itself would refuse nothing.
    return (
        f"{yaml.safe_dump(content, sort_keys=False, allow_unicode=True)}\n"
        f"evaluation:\n"
        f"  # The most frequent class alone would reach {majority:.3f}.\n"
        f"  min_accuracy: {minimum}\n"
    )
