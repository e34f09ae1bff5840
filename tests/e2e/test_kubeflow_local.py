"""Runs the pipeline as compiled for Kubeflow, each step in its own container."""

import os
import pathlib
import re
import subprocess
import tempfile

import numpy as np
import pytest
from tfx.utils import path_utils

from components.projector_directory import metadata, reader
from components.text.features import FIRST_TOKEN_ID
from components.text.vocabulary import read_served_vocabulary
from components.vectors.saved_embedding import read_embedding
from tests.tensorboard import TensorBoard

PROJECT = pathlib.Path(__file__).parents[2]
IMAGE = "tfx-embedding-projector:test"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.docker,
    pytest.mark.timeout(1800),  # Building the image alone takes 5 minutes on a quiet machine.
    pytest.mark.skipif(
        "TEST_IMAGES" not in os.environ,
        reason="builds an image of 4 GB; set TEST_IMAGES=1 to ask for it",
    ),
]


def run(**variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "kubeflow-local"],
        cwd=PROJECT,
        env={**os.environ, "IMAGE": IMAGE, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_it_ends_in_a_projection_of_the_model() -> None:
    """TensorBoard serves every row of the model, and the map has as many words."""
    temporary = pathlib.Path(tempfile.gettempdir())
    before = set(temporary.glob("kfp-*"))
    ran = run()
    assert ran.returncode == 0, ran.stdout
    assert set(temporary.glob("kfp-*")) == before
    projection, page = (
        pathlib.Path(re.findall(f"^{name}: +(.*)$", ran.stdout, re.MULTILINE)[0])
        for name in ("Projection", "Look at it")
    )

    model = projection.parents[1] / "EmbeddingTrainer" / "model"
    saved_model = path_utils.serving_model_path(str(model))
    tokens = read_served_vocabulary(saved_model)
    assert tokens is not None
    assert len(tokens) > 100
    assert f"<title>{len(tokens):,} words on a map</title>" in page.read_text()
    _, matrix = read_embedding(saved_model)
    matrix = matrix[FIRST_TOKEN_ID:][: len(tokens)]
    with TensorBoard(projection) as tensorboard:
        (name,) = tensorboard.wait_for_runs(1)
        tensor = tensorboard.json("info", run=name)["embeddings"][0]["tensorName"]
        content = tensorboard.get("metadata", run=name, name=tensor)
        vectors = np.frombuffer(tensorboard.get("tensor", run=name, name=tensor), np.float32)
    columns, rows = reader.parse_table(reader.stream_lines(content))
    token, token_id = columns.index("token"), columns.index("id")
    shown = [(metadata.unescape(row[token]), int(row[token_id])) for row in rows]
    assert shown == [(word, FIRST_TOKEN_ID + rank) for rank, word in enumerate(tokens)]
    np.testing.assert_array_equal(vectors.reshape(len(tokens), -1), matrix[: len(tokens)])


def test_any_user_of_group_0_writes_where_the_launcher_does() -> None:
    subprocess.run(["make", "image"], cwd=PROJECT, env={**os.environ, "IMAGE": IMAGE}, check=True)
    command = ["docker", "run", "--rm", "--network", "host", "--user", "4711:0", IMAGE]
    subprocess.run([*command, "mkdir", "/gcs/a", "/minio/a", "/s3/a"], check=True)


def test_a_step_that_fails_fails_the_run() -> None:
    ran = run(PIPELINE__DATASET__TEXT_FEATURE="weather")
    assert ran.returncode != 0
    assert "'weather'" in ran.stdout
    assert "Dataset failed with exit code 1" in ran.stdout
    assert "Projection:" not in ran.stdout
