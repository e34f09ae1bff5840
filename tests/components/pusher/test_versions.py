import os
import pathlib
from collections.abc import Iterator

import pytest
import tensorflow as tf

from components.pusher.versions import push, version_of


@pytest.fixture
def saved_model(tmp_path: pathlib.Path) -> pathlib.Path:
    return write_model(tmp_path / "model")


def write_model(directory: pathlib.Path, weights: bytes = b"weights") -> pathlib.Path:
    (directory / "variables").mkdir(parents=True)
    (directory / "assets").mkdir()
    (directory / "saved_model.pb").write_bytes(b"graph")
    (directory / "variables" / "variables.index").write_bytes(weights)
    (directory / "assets" / "vocabulary").write_bytes(b"good\nbad\n")
    return directory


def content(directory: pathlib.Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_a_version_has_the_models_files(saved_model: pathlib.Path, tmp_path: pathlib.Path) -> None:
    serving = tmp_path / "serving"
    assert push(str(saved_model), str(serving), "17") == str(serving / "17")
    assert content(serving / "17") == content(saved_model)
    assert [path.name for path in serving.iterdir()] == ["17"]


def test_a_served_model_keeps_its_version(
    saved_model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    serving = str(tmp_path / "serving")
    version = version_of(str(saved_model), serving)
    push(str(saved_model), serving, version)
    assert version_of(str(saved_model), serving) == version


@pytest.mark.parametrize(
    "change",
    [
        lambda version: (version / "variables" / "variables.index").write_bytes(b"other"),
        lambda version: (version / "variables" / "variables.index").unlink(),
        lambda version: (version / "more").write_bytes(b""),
        lambda version: version.rename(version.with_name("kept")),
        lambda version: write_model(version.with_name(str(int(version.name) + 1)), b"other"),
        # A higher number, whose name sorts before that of the pushed version.
        lambda version: write_model(version.with_name("1" + version.name), b"other"),
    ],
)
def test_where_another_model_is_served_it_gets_a_newer_version(
    change: object, saved_model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    serving = tmp_path / "serving"
    version = version_of(str(saved_model), str(serving))
    change(pathlib.Path(push(str(saved_model), str(serving), version)))  # type: ignore[operator]
    served = [int(path.name) for path in serving.iterdir() if path.name.isdecimal()]
    assert int(version_of(str(saved_model), str(serving))) > max(served, default=0)


def test_a_push_that_fails_leaves_nothing_to_load(
    saved_model: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = tmp_path / "serving"
    copy = tf.io.gfile.copy
    copied: list[str] = []

    def full_disk(source: str, target: str) -> None:
        assert not (serving / "17").exists()
        if len(copied) == 2:
            raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")
        copied.append(os.path.basename(source))
        copy(source, target)

    monkeypatch.setattr(tf.io.gfile, "copy", full_disk)
    with pytest.raises(OSError, match=f"pushed to {serving}: No space left on device"):
        push(str(saved_model), str(serving), "17")
    assert len(copied) == 2
    assert list(serving.iterdir()) == []


@pytest.fixture
def copied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Returns a list of the files that are written, in their order."""
    targets: list[str] = []
    copy = tf.io.gfile.copy

    def noted(source: str, target: str) -> None:
        targets.append(target)
        copy(source, target)

    monkeypatch.setattr(tf.io.gfile, "copy", noted)
    return targets


def test_the_graph_is_copied_last(
    saved_model: pathlib.Path, tmp_path: pathlib.Path, copied: list[str]
) -> None:
    push(str(saved_model), str(tmp_path / "serving"), "17")
    assert os.path.basename(copied[-1]) == "saved_model.pb"


@pytest.fixture
def uri() -> Iterator[str]:
    """Yields the URI of a file system in memory, which stands for an object store."""
    yield "ram://serving"
    tf.io.gfile.rmtree("ram://serving")


def test_at_a_uri_a_model_is_copied_to_its_final_place(
    saved_model: pathlib.Path, uri: str, copied: list[str]
) -> None:
    push(str(saved_model), uri, "17")
    assert {os.path.relpath(path, f"{uri}/17") for path in copied} == set(content(saved_model))
    assert version_of(str(saved_model), uri) == "17"


def test_a_push_to_a_uri_that_fails_leaves_nothing(
    saved_model: pathlib.Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    push(str(saved_model), uri, "17")
    copy = tf.io.gfile.copy

    def lost_connection(source: str, target: str) -> None:
        if source.endswith("saved_model.pb"):
            raise tf.errors.UnavailableError(None, None, "connection lost")
        copy(source, target)

    monkeypatch.setattr(tf.io.gfile, "copy", lost_connection)
    with pytest.raises(OSError, match=f"pushed to {uri}: connection lost"):
        push(str(saved_model), uri, "18")
    assert tf.io.gfile.listdir(uri) == ["17"]
