"""The pipeline as it is compiled for Kubeflow, each step in a container of its own."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

PROJECT = pathlib.Path(__file__).parents[2]


def _daemon_answers() -> bool:
    return bool(shutil.which("docker")) and not subprocess.call(
        ["docker", "version"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )


pytestmark = [
    pytest.mark.slow,
    pytest.mark.docker,
    pytest.mark.skipif(not _daemon_answers(), reason="no Docker daemon answers"),
]


def run(**variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "kubeflow-local"],
        cwd=PROJECT,
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_it_ends_in_a_projection_of_the_model() -> None:
    ran = run()
    assert ran.returncode == 0, ran.stdout
    (projection,) = re.findall("^Projection:  (.*)$", ran.stdout, re.MULTILINE)
    assert (pathlib.Path(projection) / "projector_config.pbtxt").is_file()


def test_a_step_that_fails_fails_the_run() -> None:
    ran = run(PIPELINE__DATASET__TEXT_FEATURE="weather")
    assert ran.returncode != 0
    assert "'weather'" in ran.stdout
    assert "Dataset failed with exit code 1" in ran.stdout
    assert "Projection:" not in ran.stdout
