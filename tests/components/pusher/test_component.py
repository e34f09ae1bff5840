"""Runs Pusher several times, alone in a pipeline with the cache on."""

import pathlib
import shutil
import time
import types
from collections.abc import Callable

import pytest
from tfx import v1 as tfx

from components import Pusher
from components.pusher import versions
from tests.components.pusher.test_versions import content, write_model
from tests.pipelines import run_components

Push = Callable[..., str]


@pytest.fixture
def serving(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "serving"


@pytest.fixture
def push(tmp_path: pathlib.Path, serving: pathlib.Path) -> Push:
    """Returns a function that runs the pipeline on a model and returns Pusher's state."""

    def run(name: str, blessed: bool = True) -> str:
        uri = tmp_path / name
        if not uri.exists():
            write_model(uri / "Format-Serving", name.encode())
        model = tfx.dsl.Importer(
            source_uri=str(uri),
            artifact_type=tfx.types.standard_artifacts.Model,
            custom_properties={"tfx_version": "1.16.0"},
        ).with_id("Trainer")
        blessing = tfx.dsl.Importer(
            source_uri=str(tmp_path / f"blessing-{blessed}"),
            artifact_type=tfx.types.standard_artifacts.ModelBlessing,
            custom_properties={"blessed": int(blessed)},
        ).with_id("Evaluator")
        pusher = Pusher(
            model=model.outputs["result"],
            model_blessing=blessing.outputs["result"],
            serving_dir=str(serving),
        )
        return run_components([model, blessing, pusher], tmp_path)

    return run


def served(serving: pathlib.Path) -> bytes:
    """Returns the weights of the highest version, which TensorFlow Serving loads."""
    newest = max(serving.iterdir(), key=lambda version: int(version.name))
    return content(newest)["variables/variables.index"]


def test_a_second_run_is_served_from_the_cache(push: Push, serving: pathlib.Path) -> None:
    assert push("a") == "COMPLETE"
    assert push("a") == "CACHED"
    assert len(list(serving.iterdir())) == 1
    assert served(serving) == b"a"


def test_the_pushed_model_is_an_artifact_too(
    push: Push, serving: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    push("a")
    (version,) = serving.iterdir()
    (artifact,) = (tmp_path / "artifacts" / "Pusher" / "pushed_model").iterdir()
    assert content(artifact) == content(version)


def test_a_model_is_pushed_again_over_another(push: Push, serving: pathlib.Path) -> None:
    for name in ("a", "b", "a"):
        assert push(name) == "COMPLETE"
        assert served(serving) == name.encode()
    assert push("a") == "CACHED"
    assert len(list(serving.iterdir())) == 3


@pytest.mark.parametrize(
    "lose",
    [
        shutil.rmtree,
        lambda serving: shutil.rmtree(next(serving.iterdir())),
        lambda serving: next(serving.rglob("saved_model.pb")).write_bytes(b"gra"),
    ],
    ids=["the directory", "the version", "a part of a file"],
)
def test_a_lost_version_is_pushed_again(
    lose: Callable[[pathlib.Path], object],
    push: Push,
    serving: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    push("a")
    lose(serving)
    later = types.SimpleNamespace(time=lambda: time.time() + 60)
    monkeypatch.setattr(versions, "time", later)
    assert push("a") == "COMPLETE"
    newest = max(serving.iterdir(), key=lambda version: int(version.name))
    assert content(newest)["saved_model.pb"] == b"graph"
    assert push("a") == "CACHED"


def test_a_model_that_is_not_blessed_is_not_pushed(push: Push, serving: pathlib.Path) -> None:
    assert push("a", blessed=False) == "COMPLETE"
    assert push("a", blessed=False) == "CACHED"
    assert not serving.exists()
