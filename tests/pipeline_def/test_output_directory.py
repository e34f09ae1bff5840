import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import apache_beam as beam
import pytest

from pipeline_def.config import ConfigError
from pipeline_def.output_directory import claimed

PROJECT = pathlib.Path(__file__).parents[2]


def claim(root: pathlib.Path) -> None:
    with claimed(root):
        pass


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "output" / "own"


def test_a_second_run_is_told_which_run_is_in_the_way(root: pathlib.Path) -> None:
    claim(root)
    with claimed(root):
        this = (
            rf"^Another run of this pipeline, process {os.getpid()} since \S+ \S+, writes to {root}"
        )
        with pytest.raises(ConfigError, match=this):
            claim(root)
        claim(root.with_name("another"))
    claim(root)


def test_a_killed_run_is_in_nobodys_way_and_its_files_are_removed(root: pathlib.Path) -> None:
    script = f"""
import pathlib, signal, tempfile
from pipeline_def.output_directory import claimed
with claimed(pathlib.Path({str(root)!r})):
    tempfile.mkdtemp(prefix="left")
    signal.raise_signal(signal.SIGKILL)
"""
    killed = subprocess.run([sys.executable, "-c", script], cwd=PROJECT)
    assert killed.returncode == -signal.SIGKILL
    assert list(root.rglob("left*"))
    with claimed(root):
        assert not list(root.rglob("left*"))


def test_nothing_temporary_is_left_of_a_step_that_fails(
    root: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(elsewhere))
    monkeypatch.setenv("TMPDIR", str(elsewhere))
    of_a_worker = [sys.executable, "-c", "import tempfile; tempfile.mkdtemp()"]
    with pytest.raises(RuntimeError, match="fails"), claimed(root):
        subprocess.run(of_a_worker, check=True)
        with beam.Pipeline():
            assert list(root.rglob("beam-pipeline-temp*"))
            raise RuntimeError("fails")
    assert [path.name for path in root.iterdir()] == [".lock"]
    assert list(elsewhere.iterdir()) == []
    assert (tempfile.gettempdir(), os.environ["TMPDIR"]) == (str(elsewhere), str(elsewhere))


def test_an_output_directory_that_is_a_file_is_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "output").touch()
    with pytest.raises(ConfigError, match=rf"^output_dir: {tmp_path}/output/own .*Not a directory"):
        claim(tmp_path / "output" / "own")


@pytest.fixture
def read_only(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    if os.getuid() != 0:
        pytest.skip("needs root, to mount a disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", tmp_path], check=True)
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_a_read_only_output_directory_is_refused(read_only: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match=r"^output_dir: .*Read-only file system"):
        claim(read_only / "own")


@pytest.mark.parametrize("name", ["a*", "a?", "[a]", "a\\b"])
def test_a_path_that_would_be_a_pattern_is_refused(name: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match="a pattern of names"):
        claim(tmp_path / name / "own")
    assert not list(tmp_path.iterdir())
