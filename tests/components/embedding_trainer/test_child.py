import json
import logging
import subprocess
from collections.abc import Iterator
from unittest import mock

import pytest

from components.embedding_trainer import worker
from components.embedding_trainer.job import Job
from components.embedding_trainer.options import TrainingOptions

OPTIONS = TrainingOptions(strategy="multi_worker_mirrored", workers=("host2:7077",))
JOB = Job([], "", [], "text", OPTIONS, "", "")


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    """Starts a child that is the only member of its cluster; sends it a job that must fail."""
    place = worker.Place([f"127.0.0.1:{worker.free_port()}"], index=0)
    with worker.training_child(JOB, place) as process:
        assert process.stdout
        with process.stdout:
            yield process


@pytest.mark.slow
def test_a_child_tells_that_it_joined_and_failed_and_waits_to_be_killed(
    process: subprocess.Popen[str],
) -> None:
    assert process.stdout
    joined = json.loads(process.stdout.readline())
    assert joined == {"log": "Joined a cluster of 1 replicas.", "level": logging.INFO}
    told = json.loads(process.stdout.readline())
    assert told == {"error": mock.ANY, "victim": False}
    assert told["error"]
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)


def test_a_child_ends_with_its_parent(process: subprocess.Popen[str]) -> None:
    assert process.stdin and process.stdout
    process.stdin.close()
    assert process.wait(30) == 1
    assert process.stdout.read() == ""
