"""Writes valid projector directories and damages them at random, from a seed."""

import json
import pathlib
import random
import shutil
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorboard.plugins.projector import ProjectorConfig

from components.projector_directory import Bookmark, Tensor, write
from components.projector_directory.metadata import Column

ROWS = 6
VECTORS = np.random.default_rng(1).normal(size=(ROWS, 4)).astype(np.float32)
_CONFIG = "projector_config.pbtxt"


def write_templates(parent: pathlib.Path) -> list[pathlib.Path]:
    """Writes the valid directories that `mutate` damages, and returns them."""
    columns: dict[str, Column] = {
        "word": ["good", "bad", "007", "", "film", "a  b"],
        "id": np.arange(1, ROWS + 1),
        "share": np.linspace(0.125, 1.5, ROWS),
        "topic": ["a", "b", "b", "a", "c", "c"],
    }
    few: dict[str, Column] = {"text": ["one", "two", "three"], "n": np.arange(3)}
    pca = Bookmark("PCA", VECTORS[:, :3], "pca", "topic")
    tsne, some = (Bookmark("t-SNE", VECTORS[:rows, :2], color_by="id") for rows in (ROWS, 4))
    tensors = [
        Tensor("embedding", VECTORS, columns, [pca, tsne]),
        Tensor("normalized", -VECTORS, columns),
        Tensor("texts", VECTORS[:3], few, [Bookmark("PCA", VECTORS[:3, :3], "pca", "n")]),
    ]
    write(str(parent / "several"), tensors)
    write(str(parent / "alone"), [Tensor("embedding", VECTORS, columns, [pca, some])])
    for name, content in (
        ("raw", VECTORS.tobytes()),
        ("text", "".join("\t".join(map(str, row)) + "\n" for row in VECTORS.tolist()).encode()),
    ):
        (parent / name).mkdir()
        (parent / name / "tensor").write_bytes(content)
        for file in ("metadata.tsv", "bookmarks.json"):
            shutil.copy(parent / "alone" / file, parent / name)
        (parent / name / _CONFIG).write_text(
            f'embeddings {{ tensor_name: "e" tensor_path: "tensor" tensor_shape: [{ROWS}, 4] '
            'metadata_path: "metadata.tsv" bookmarks_path: "bookmarks.json" }'
        )
        tf.summary.create_file_writer(str(parent / name)).close()
    return [parent / name for name in ("several", "alone", "raw", "text")]


def mutate(directory: pathlib.Path, chance: random.Random) -> str:
    """Changes one thing in a directory, and returns a description of the change."""
    mutation = chance.choice(_MUTATIONS)
    return f"{mutation.__name__} {mutation(directory, chance)}"


CELLS = (
    *("0", "-0", "007", "1e3", "0x1F", "1.50", "0.1234567", "123456.7891234", "1e21", "1e-7"),
    *("9007199254740993", "9007199254740992", "1e400", "1e-400", "Infinity", "-Infinity", "NaN"),
    *("constructor", "__proto__", "toString", "hasOwnProperty", "valueOf", "__next__", "label"),
    *(
        " ",
        "  5",
        "5 ",
        "",
        "\\&",
        "日本",
        "\u2028",
        "\ufeff",
        "\x00",
        "+5",
        "1_000",
        "a b",
        "null",
    ),
    *("1.", ".5", "12345678901234567890", "0.30000000000000004", "5e-324", "1e308", "-7", "1/2"),
)


def _table(directory: pathlib.Path, chance: random.Random) -> pathlib.Path:
    return directory / chance.choice([path.name for path in sorted(directory.glob("*.tsv"))])


def change_a_byte(directory: pathlib.Path, chance: random.Random) -> str:
    path = chance.choice([*directory.glob("*.tsv"), *directory.glob("tensor")])
    content = bytearray(path.read_bytes())
    place = chance.randrange(len(content))
    byte = chance.choice(b"\t\n\r 0a\x00\xff\xef-.e")
    how = chance.randrange(3)
    content[place : place + (how < 2)] = bytes([byte]) if how else b""
    path.write_bytes(content)
    return f"{path.name} at {place}: {how} {byte!r}"


def change_lines(directory: pathlib.Path, chance: random.Random) -> str:
    path = _table(directory, chance)
    lines = path.read_bytes().split(b"\n")[:-1]
    number = chance.randrange(len(lines))
    how = chance.randrange(6)
    if how == 0:
        del lines[number]
    elif how == 1:
        lines.insert(number, lines[number])
    elif how == 2:
        lines.insert(number, chance.choice([b"", b" ", b"\t", b"\r"]))
    elif how == 3:
        lines[number] += chance.choice([b"\t", b"\tx", b"\r", b" ", b"\r\r"])
    elif how == 4:
        lines = [line + b"\r" for line in lines]
    else:
        lines[0] = b"\xef\xbb\xbf" + lines[0]
    end = b"" if chance.randrange(8) == 0 else b"\n"
    path.write_bytes(b"\n".join(lines) + end)
    return f"{path.name} line {number}: {how} {end!r}"


def change_a_cell(directory: pathlib.Path, chance: random.Random) -> str:
    path = _table(directory, chance)
    rows = [line.split("\t") for line in path.read_text().split("\n")[:-1]]
    row, column = chance.randrange(len(rows)), chance.randrange(len(rows[0]))
    rows[row][column] = chance.choice(CELLS)
    path.write_text("".join("\t".join(row) + "\n" for row in rows), newline="\n")
    return f"{path.name} {row} {column}: {rows[row][column]!r}"


def change_a_column(directory: pathlib.Path, chance: random.Random) -> str:
    path = _table(directory, chance)
    rows = [line.split("\t") for line in path.read_text().split("\n")[:-1]]
    column = chance.randrange(len(rows[0]))
    cells = chance.choices(CELLS, k=chance.randint(1, 2))
    for row in rows[1:]:
        row[column] = chance.choice(cells)
    path.write_text("".join("\t".join(row) + "\n" for row in rows), newline="\n")
    return f"{path.name} {column}: {cells}"


def leave_one_column(directory: pathlib.Path, chance: random.Random) -> str:
    path = _table(directory, chance)
    rows = [line.split("\t") for line in path.read_text().split("\n")[:-1]]
    column = chance.randrange(len(rows[0]))
    header = chance.randrange(4) == 0
    cells = [row[column] for row in (rows if header else rows[1:])]
    cells[chance.randrange(len(cells))] = chance.choice(CELLS)
    mark = chance.choice(["", "\ufeff"])
    path.write_text(mark + "".join(cell + "\n" for cell in cells), newline="\n")
    return f"{path.name} {column}: {cells} {mark!r}"


def move_a_chunk(directory: pathlib.Path, chance: random.Random) -> str:
    """Puts a character or line end across the end of the first chunk of 1,000,000 bytes."""
    path = _table(directory, chance)
    header, *lines = path.read_text().split("\n")[:-1]
    number = chance.randrange(len(lines) + 1)
    text = chance.choice(["日", "é", "a", "\n", "\n\n", "\t", "\ufeff", "\r", " \n"])
    before = "\n".join([header, *lines[:number]]) if number else ""
    size = 1_000_000 - len(before.encode()) - chance.randrange(4)
    line = lines[number - 1].replace("\t", "x" * size + text + "\t", 1) if number else ""
    if number:
        lines[number - 1] = line
    else:
        header = "x" * size + text + header
    path.write_text("\n".join([header, *lines]) + "\n", newline="\n")
    return f"{path.name} {number}: {text!r}"


def change_the_configuration(directory: pathlib.Path, chance: random.Random) -> str:
    path = directory / _CONFIG
    config = text_format.Parse(path.read_text(), ProjectorConfig())
    entries = list(config.embeddings)
    number = chance.randrange(len(entries))
    entry = entries[number]
    how = chance.randrange(12)
    if how == 0:
        config.embeddings.add().CopyFrom(entry)
    elif how == 1:
        copy = config.embeddings.add()
        copy.CopyFrom(entry)
        copy.tensor_name += ":0"
    elif how == 2:
        entry.tensor_name += ":0"
    elif how == 3:
        entry.tensor_name = ""
    elif how == 4:
        del config.embeddings[number]
    elif how == 5:
        entry.tensor_name = chance.choice(["nowhere", "a&b", "constructor", "x#", "é"])
    elif how == 6:
        del entry.tensor_shape[:]
        shapes = [[], [ROWS], [ROWS, 4], [4, ROWS], [ROWS, 2], [1, 1], [ROWS, 4, 1], [7, 4]]
        entry.tensor_shape.extend(chance.choice(shapes))
    elif how == 7:
        config.embeddings.add(tensor_name="nowhere", metadata_path="metadata.tsv")
    elif how == 8:
        config.embeddings.add(tensor_path="tensor", metadata_path="metadata.tsv")
    elif how == 9:
        entry.metadata_path = chance.choice(["", "nothing.tsv", ".", "bookmarks.json"])
    elif how == 10:
        entry.bookmarks_path = chance.choice(["", "nothing.json", "metadata.tsv"])
    else:
        image, size = chance.choice(
            [
                ((20, 30), [10, 10]),
                ((20, 20), [10, 10]),
                ((9000, 10), [10, 10]),
                ((30, 20), [10, 10]),
                ((20, 30), []),
                ((20, 30), [0, 0]),
                (None, [10, 10]),
            ]
        )
        entry.sprite.image_path = "sprite.png"
        entry.sprite.single_image_dim.extend(size)
        pixels = tf.io.encode_png(np.zeros((*image, 3), np.uint8)).numpy() if image else b"no image"
        (directory / "sprite.png").write_bytes(pixels)
    path.write_text(text_format.MessageToString(config))
    return f"{number}: {how}"


def damage_the_checkpoint(directory: pathlib.Path, chance: random.Random) -> str:
    paths = sorted(
        path
        for path in directory.iterdir()
        if "ckpt" in path.name or path.name in ("checkpoint", "tensor")
    )
    path = chance.choice(paths)
    content = path.read_bytes()
    how = chance.randrange(5)
    if how == 0:
        path.unlink()
    elif how == 1:
        path.write_bytes(b"")
    elif how == 2:
        path.write_bytes(content[: chance.randrange(len(content))])
    elif how == 3:
        path.write_bytes(b"\xff\xfe" + content)
    else:
        place = chance.randrange(len(content))
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x55]) + content[place + 1 :])
    return f"{path.name}: {how}"


def change_the_values(directory: pathlib.Path, chance: random.Random) -> str:
    values: np.ndarray = VECTORS.astype(np.float64)
    value = chance.choice([0, np.nan, np.inf, 1e300, -1e39, 3e38, 1e-300])
    values[chance.randrange(ROWS), chance.randrange(4)] = value
    dtype = chance.choice([np.float32, np.float64, np.float16, np.int32, np.str_])
    if dtype is np.int32:
        values = np.arange(ROWS * 4).reshape(ROWS, 4)
    with np.errstate(all="ignore"):
        values = values.astype(dtype)
    shape = chance.choice(
        [(ROWS, 4), (ROWS, 4), (4, ROWS), (ROWS * 2, 2), (1, ROWS * 4), (ROWS, 2, 2)]
    )
    if (directory / "checkpoint").exists():
        variables = {"embedding": tf.Variable(values.reshape(shape))}
        if chance.randrange(3) == 0:
            variables["kernel"] = tf.Variable(VECTORS)
        prefix = tf.train.latest_checkpoint(str(directory))
        tf.train.Checkpoint(**variables).write(prefix)
    elif dtype is not np.str_:
        values.tofile(directory / "tensor")
    return f"{dtype.__name__} {value} {shape}"


def change_a_bookmark(directory: pathlib.Path, chance: random.Random) -> str:
    path = chance.choice(sorted(directory.glob("*bookmarks.json")))
    states = json.loads(path.read_text())
    state = chance.choice(states)
    key = chance.choice(sorted(state))
    values: list[Any] = [
        *(None, 0, 1, -1, 2.5, "", "x", [], {}, True, False, [0, 1], [0, 99], [-1], [[0]], ["0"]),
        *([0, 0], [1, 0, 2], list(range(ROWS)), "pca", "umap", "tsne", "custom", "id", "word"),
        *("No color map", "share", [0.5], 1e400, "constructor", list(range(4)), [ROWS, 4]),
    ]
    how = chance.randrange(4)
    if how == 0:
        del state[key]
    elif how == 1:
        row = chance.choice(state["projections"])
        inner = chance.choice(sorted(row))
        row[inner] = chance.choice([None, 1, "1", [], 1e400, True, -0.5])
        key = f"{key} {inner}"
        if chance.randrange(2):
            del row[inner.split()[-1]]
    elif how == 2:
        key = chance.choice(
            ["selectedPoints", "filteredPoints", "shuffledDataIndices", "projections"]
        )
        state[key] = chance.choice(values)
    else:
        state[key] = chance.choice(values)
    path.write_text(json.dumps(states).replace("Infinity", "1e400"))
    return f"{key}: {how} {state.get(key) if key != 'projections' else ''!r}"


def change_the_bookmarks(directory: pathlib.Path, chance: random.Random) -> str:
    path = chance.choice(sorted(directory.glob("*bookmarks.json")))
    content = chance.choice(
        [
            "",
            "[]",
            "{}",
            "[1]",
            "null",
            "[null]",
            "[{}]",
            "[NaN]",
            '"text"',
            "1",
            "[[]]",
            "\ufeff[]",
        ]
    )
    path.write_text(content)
    return content


def add_runs(directory: pathlib.Path, chance: random.Random) -> str:
    name = chance.choice(["train", "constructor", "__proto__"])
    tf.summary.create_file_writer(str(directory / name)).close()
    return name


_MUTATIONS: tuple[Callable[[pathlib.Path, random.Random], str], ...] = (
    *(change_a_byte, change_lines, change_a_cell, change_a_cell, change_a_column, leave_one_column),
    *(move_a_chunk, change_the_configuration, change_the_configuration, damage_the_checkpoint),
    *(change_the_values, change_a_bookmark, change_a_bookmark, change_the_bookmarks, add_runs),
)
