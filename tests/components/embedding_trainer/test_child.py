import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from unittest import mock

import pydantic
import pytest

from components.embedding_trainer import child, worker
from components.embedding_trainer.job import Job
from components.embedding_trainer.options import TrainingOptions

OPTIONS = TrainingOptions(strategy="multi_worker_mirrored", workers=("host2:7077",))
JOB = Job([], "", [], "text", OPTIONS, "", "")


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """Starts a child that is the only member of its cluster; sends it a job that must fail."""
    cluster = {"worker": [f"127.0.0.1:{worker.free_port()}"]}
    place = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": 0}})
    with subprocess.Popen(
        [sys.executable, "-m", child.__name__],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TF_CONFIG": place},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            assert process.stdin
            process.stdin.write(pydantic.TypeAdapter(Job).dump_json(JOB) + b"\n")
            process.stdin.flush()
            yield process
        finally:
            process.kill()


@pytest.mark.slow
def test_a_child_tells_that_it_joined_and_failed_and_waits_to_be_killed(
    process: subprocess.Popen[bytes],
) -> None:
    assert process.stdout
    joined = json.loads(process.stdout.readline())
    assert joined == {"log": "Joined the cluster, of 1 replicas.", "level": logging.INFO}
    told = json.loads(process.stdout.readline())
    assert told == {"error": mock.ANY, "victim": False}
    assert told["error"]
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)


def test_a_child_ends_with_its_parent(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin and process.stdout
    process.stdin.close()
    assert process.wait(30) == 1
    assert process.stdout.read() == b""
