import os
import pathlib
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from components.projector_directory import write
from components.projector_directory.runs import check_prefix, new_run, publish_run, run_name
from components.projector_directory.verify import run_name_problem, verify
from tests.components.projector_directory.directories import make_tensor, write_directory
from tests.tensorboard import TensorBoard

TOKENS = [b"good", b"bad"]
MATRIX = np.arange(8, dtype=np.float32).reshape(2, 4)


@pytest.fixture
def run(tmp_path: pathlib.Path) -> pathlib.Path:
    directory = tmp_path / "output" / "imdb-20261122-134002"
    write(str(directory), [make_tensor(TOKENS, MATRIX)], extras={"below/notes.txt": _write_notes})
    return directory


def _write_notes(path: str) -> None:
    pathlib.Path(path).parent.mkdir()
    pathlib.Path(path).write_text("of words")


def _names(directory: pathlib.Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def _contents(directory: pathlib.Path) -> dict[str, bytes]:
    paths = [path for path in directory.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in paths
        if "tfevents" not in path.name
    }


def test_a_name_tells_the_time_and_is_safe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    before = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    name = run_name("my_model.v2")
    after = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    monkeypatch.undo()
    time.tzset()
    assert f"my_model.v2-{before}" <= name <= f"my_model.v2-{after}"
    assert run_name_problem(name) is None


@pytest.mark.parametrize("prefix", ["", "my pipeline", "a/b", "../a", ".hidden", "-x", "50%", "é"])
def test_a_prefix_that_makes_no_name_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="run_prefix is "):
        check_prefix(prefix)


def test_a_prefix_may_have_dots_and_hyphens() -> None:
    check_prefix("4.imdb_reviews-v2")


def test_a_run_is_listed_only_when_all_is_there(tmp_path: pathlib.Path) -> None:
    with new_run(str(tmp_path / "run")) as unfinished:
        pathlib.Path(unfinished, "metadata.tsv").touch()
        assert _names(tmp_path) == [os.path.basename(unfinished)]
        assert _names(pathlib.Path(unfinished)) == ["metadata.tsv"]  # No event file yet.
    assert _names(tmp_path) == ["run"]
    events, *others = _names(tmp_path / "run")
    assert events.startswith("events.out.tfevents.")
    assert others == ["metadata.tsv"]


def test_of_two_at_the_same_time_the_slower_one_is_refused(tmp_path: pathlib.Path) -> None:
    directory = tmp_path / "run"
    with (
        pytest.raises(FileExistsError, match="not empty"),
        new_run(str(directory)),
        new_run(str(directory)) as faster,
    ):
        pathlib.Path(faster, "faster").touch()
    assert _names(tmp_path) == ["run"]
    assert (directory / "faster").exists()


def test_a_published_run_is_a_copy(run: pathlib.Path, tmp_path: pathlib.Path) -> None:
    published = pathlib.Path(publish_run(str(run), str(tmp_path / "not" / "there" / "yet")))
    assert published == tmp_path / "not" / "there" / "yet" / run.name
    assert _contents(published) == _contents(run)
    assert verify(str(published)) == []


def test_a_run_is_published_to_other_file_systems(run: pathlib.Path) -> None:
    # TensorFlow's file system in memory; like object stores, it cannot rename a full directory.
    place = publish_run(str(run), "ram://stable")
    assert place == f"ram://stable/{run.name}"
    assert tf.io.gfile.glob(f"{place}/*tfevents*")
    paths = [f"{folder}/{name}" for folder, _, names in tf.io.gfile.walk(place) for name in names]
    contents = {
        os.path.relpath(path, place): tf.io.gfile.GFile(path, "rb").read()
        for path in paths
        if "tfevents" not in path
    }
    assert contents == _contents(run)
    assert publish_run(str(run), "ram://stable") == f"{place}-2"


def test_nothing_published_is_rewritten(run: pathlib.Path, tmp_path: pathlib.Path) -> None:
    other = tmp_path / "other" / run.name
    write_directory(other, TOKENS, -MATRIX)
    places = [publish_run(str(made), str(tmp_path / "stable")) for made in (run, other, other)]
    names = [run.name, f"{run.name}-2", f"{run.name}-3"]
    assert places == [str(tmp_path / "stable" / name) for name in names]
    assert _contents(tmp_path / "stable" / names[0]) == _contents(run)
    assert _contents(tmp_path / "stable" / names[1]) == _contents(other)


def test_a_failed_publication_says_so_and_leaves_nothing(
    run: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    (run / "below" / "zz").symlink_to("nowhere")  # The last file; copying it fails.
    with pytest.raises(OSError, match=r"could not be published to .*stable: "):
        publish_run(str(run), str(tmp_path / "stable"))
    assert _names(tmp_path / "stable") == []

    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"could not be published to .*file: .* is not a directory"):
        publish_run(str(run), str(tmp_path / "file"))


@pytest.mark.slow
def test_a_killed_publication_is_not_listed(run: pathlib.Path, tmp_path: pathlib.Path) -> None:
    stable = tmp_path / "stable"
    publish_run(str(run), str(stable))
    os.mkfifo(run / "zz")  # Copying it never ends.
    publish = "import sys; from components.projector_directory import runs; "
    publish += "runs.publish_run(*sys.argv[1:])"
    process = subprocess.Popen([sys.executable, "-c", publish, str(run), str(stable)])
    try:
        while not list(stable.glob(".*/projector_config.pbtxt")):
            assert process.poll() is None
            time.sleep(0.1)
    finally:
        process.kill()
        process.wait()
    assert len(_names(stable)) == 2
    with TensorBoard(stable) as tensorboard:
        assert tensorboard.json("runs") == [run.name]
