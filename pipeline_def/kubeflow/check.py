"""Checks what a run has left in its artifact store: that TensorBoard shows the trained model."""

import itertools
import json
import pathlib
import urllib.parse
import urllib.request

import numpy as np
from tensorboard.program import TensorBoard
from tfx.utils import path_utils

from components.projector_directory import metadata, reader
from components.projector_directory.verify import verify
from components.text.features import FIRST_TOKEN_ID, VOCABULARY
from components.text.vocabulary import read_served_vocabulary
from components.vectors.saved_embedding import read_embedding

# A word, its id and its vector.
_Row = tuple[bytes, int, list[float]]


def check(run: pathlib.Path) -> pathlib.Path:
    """Compares what TensorBoard serves of a run's projection with the run's model.

    Args:
        run: The run's directory in the artifact store: in it a directory for each step, with one
            for each of its outputs.

    Returns:
        The directory of the projection's files, in which every row is the model's.

    Raises:
        ValueError: It is not; or there is no projection or model, or more than one; or the
            projection breaks a rule of TensorBoard's.
    """
    projection, model = _output(run, "projection/*"), _output(run, "model")
    if violations := verify(str(projection)):
        raise ValueError("\n".join(f"{projection}/{violation}" for violation in violations))
    trained = _trained(path_utils.serving_model_path(str(model)))
    for row, (shown, wanted) in enumerate(itertools.zip_longest(_served(projection), trained)):
        if shown != wanted:
            raise ValueError(
                f"{projection}, row {row}: TensorBoard serves {shown}; {model} has {wanted}."
            )
    return projection


def _output(run: pathlib.Path, key: str) -> pathlib.Path:
    found = list(run.glob(f"*/{key}"))
    if len(found) != 1:
        raise ValueError(f"{run}: {len(found)} steps have an output {key!r}; expected one.")
    return found[0]


def _trained(saved_model: str) -> list[_Row]:
    """Reads the rows of a model as it is served."""
    tokens = read_served_vocabulary(saved_model)
    if not tokens:
        raise ValueError(f"{saved_model} has no vocabulary {VOCABULARY!r} to be served with.")
    _, matrix = read_embedding(saved_model, len(tokens), first_token_id=FIRST_TOKEN_ID)
    return list(zip(tokens, itertools.count(FIRST_TOKEN_ID), matrix.tolist(), strict=False))


def _served(projection: pathlib.Path) -> list[_Row]:
    """Asks a TensorBoard for the rows, over HTTP as its page does."""
    server = TensorBoard()
    server.configure(logdir=str(projection), port=0, load_fast="false", reload_interval=0)
    url = server.launch()

    def ask(what: str, **query: str) -> bytes:
        address = f"{url}data/plugin/projector/{what}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address) as response:
            return bytes(response.read())

    (run,) = json.loads(ask("runs"))
    embedding = json.loads(ask("info", run=run))["embeddings"][0]
    name = embedding["tensorName"]
    vectors = np.frombuffer(ask("tensor", run=run, name=name), np.float32)
    columns, rows = reader.parse_table(reader.stream_lines(ask("metadata", run=run, name=name)))
    token, token_id = columns.index("token"), columns.index("id")
    return [
        (metadata.unescape(row[token]), int(row[token_id]), vector)
        for row, vector in zip(
            rows, vectors.reshape(embedding["tensorShape"]).tolist(), strict=True
        )
    ]
