"""Fills the disk at the start of one step after another, and makes room again after each."""

import os
import pathlib
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from tfx.orchestration.portable import launcher

from components.projector_directory.verify import verify
from pipeline_def import sample_reviews
from tests.pipelines import RESOLVER, STEPS, Pipeline, Run

pytestmark = pytest.mark.long

# The free bytes when each step begins, too few for its outputs.
LEFT = {
    "TfdsExampleGen": 2**16,
    "Transform": 2**17,
    "EmbeddingTrainer": 2**17,
    "ProjectorExporter": 2**17,
    "Pusher": 2**17,
}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    if os.getuid() != 0:
        pytest.skip("needs root, to mount a disk")
    disk = tmp_path_factory.mktemp("disk")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)  # ML Metadata may keep its file open.


def run_with_full_disk(pipeline: Pipeline, step: str) -> Run:
    """Runs a pipeline whose disk is full from the start of a step to the end of the run."""
    filler = pipeline.directory / "filler"
    launch = launcher.Launcher.launch

    def launched(node: launcher.Launcher) -> Any:
        if node._pipeline_node.node_info.id == step:
            disk = os.statvfs(pipeline.directory)
            filler.write_bytes(bytes(disk.f_bavail * disk.f_frsize - LEFT[step]))
        return launch(node)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launcher.Launcher, "launch", launched)
        run = pipeline.run()
    filler.unlink()
    return run


def test_a_full_disk_is_told_in_a_sentence_and_the_next_run_recovers(
    disk: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    sample_reviews.SampleReviews(data_dir=tmp_path).download_and_prepare()
    data = {"PIPELINE__DATASET__DATA_DIR": str(tmp_path)}
    pipeline = Pipeline("sample", "beam", disk, data)
    for step in LEFT:
        failed = run_with_full_disk(pipeline, step)
        assert failed.code == 1
        (line,) = (line for line in failed.printed.splitlines() if " failed " in line)
        assert line.startswith(f"{step} ")
        assert line.endswith(" The disk is full. Make room and run again.")
        assert "Traceback" not in failed.printed
        assert not (pipeline.root / "tmp").exists()
        assert not list((pipeline.root / "serving").glob("*"))
        assert [verify(str(run)) for run in disk.glob("published/*")] in ([], [[]])

    recovered = pipeline.run()
    assert recovered.code == 0, recovered.printed
    assert set(recovered.states.values()) == {"COMPLETE", "CACHED"}
    assert set(recovered.states) == STEPS | {RESOLVER}
    assert recovered.line("Model").startswith("blessed, pushed to ")
    (published,) = disk.glob("published/*")
    assert verify(str(published)) == []
