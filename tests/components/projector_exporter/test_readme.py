import pathlib
import re

import numpy as np
import pytest

import components.projector_exporter
from components.projector_exporter.words import word_points
from tests.components.projector_exporter import models

README = pathlib.Path(components.projector_exporter.__file__).with_name("README.md").read_text()


def test_the_snippets_run_as_printed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "path" / "to").mkdir(parents=True)
    matrix = np.random.default_rng(1).normal(size=(8, 3)).astype(np.float32)
    models.save_trained(tmp_path / "path" / "to" / "saved_model", models.WORDS, matrix)

    snippets = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    assert len(snippets) == 2
    for snippet in snippets:
        exec(snippet, {})

    assert (tmp_path / "path" / "to" / "new-run" / "metadata.tsv").exists()


def test_every_column_is_explained() -> None:
    probabilities = np.full((2, 2), 0.5, np.float32)
    counts = np.array([2, 1])
    points = word_points(
        [b"a", b"b"],
        np.eye(2, dtype=np.float32),
        counts=counts,
        probabilities=probabilities,
        class_names=["neg", "pos"],
    )
    explained = re.findall(r"^\| `(.*?)` \|", README.split("## Columns")[1], re.MULTILINE)
    assert explained[: len(points.columns)] == list(points.columns)
