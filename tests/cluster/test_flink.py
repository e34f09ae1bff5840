"""Tests Flink as the Beam runner, on a session cluster that runs on this machine.

Maven downloads the cluster's jars.
"""

import contextlib
import json
import os
import pathlib
import shutil
import subprocess
import time
import urllib.request
import zipfile
from collections.abc import Iterator

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import FlinkRunnerOptions

from components.embedding_trainer.worker import free_port
from pipeline_def import remote_workers
from pipeline_def.config import ConfigError
from tests.pipeline_def.test_remote_workers import config
from tests.pipelines import STEPS, Pipeline

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(not shutil.which("java"), reason="there is no java"),
    pytest.mark.skipif(not shutil.which("mvn"), reason="there is no mvn"),
]

# For each Beam release: a Flink release that it has a runner for, and one that it has none for.
VERSIONS = {"2.60.0": ("1.18.1", "1.20.5"), "2.77.0": ("1.20.5", "1.18.1")}
KNOWN, UNKNOWN = VERSIONS.get(beam.__version__, ("1.20.5", "1.18.1"))
# The path of a jar of org.apache.beam:beam-runners-flink-VERSION-job-server; without it, the sample
# pipeline does not run on Flink here.
JAR = os.environ.get("BEAM_FLINK_JOB_SERVER_JAR")

_JAVA = ["java"] + [
    word
    for package in ("lang", "util", "net", "nio", "util.concurrent")
    for word in ("--add-opens", f"java.base/java.{package}=ALL-UNNAMED")
]
_OPENS_SUN = ["--add-opens", "java.base/sun.nio.ch=ALL-UNNAMED"]
_TASK_MANAGER = {
    "taskmanager.cpu.cores": "2.0",
    "taskmanager.numberOfTaskSlots": "2",
    "taskmanager.memory.framework.heap.size": "128m",
    "taskmanager.memory.task.heap.size": "256m",
    "taskmanager.memory.managed.size": "256m",
    "taskmanager.memory.network.min": "64m",
    "taskmanager.memory.network.max": "64m",
    "taskmanager.memory.task.off-heap.size": "64m",
    "taskmanager.memory.framework.off-heap.size": "64m",
    "taskmanager.memory.jvm-metaspace.size": "256m",
    "taskmanager.memory.jvm-overhead.min": "64m",
    "taskmanager.memory.jvm-overhead.max": "64m",
}


@contextlib.contextmanager
def flink(version: str, directory: pathlib.Path) -> Iterator[str]:
    """Starts a session cluster with one TaskManager; yields the address of its REST interface."""
    jars = directory / f"lib-{version}"
    pom = pathlib.Path(__file__).parent / "flink" / "pom.xml"
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
    subprocess.run(["mvn", "-q", "-B", "-f", pom, f"-Dflink={version}", *goal], check=True)
    rest = f"localhost:{(port := free_port())}"
    settings = {
        "jobmanager.rpc.address": "localhost",
        "jobmanager.rpc.port": free_port(),
        "rest.port": port,
        "web.upload.dir": directory / "upload",
        "io.tmp.dirs": directory / "temporary",
        **_TASK_MANAGER,
    }
    configuration = directory / f"conf-{version}"
    configuration.mkdir()
    lines = "".join(f"{key}: {value}\n" for key, value in settings.items())
    for name in ("flink-conf.yaml", "config.yaml"):  # The names in Flink 1 and in Flink 2.
        (configuration / name).write_text(lines)
    started = []
    try:
        for entry in (
            "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint",
            "org.apache.flink.runtime.taskexecutor.TaskManagerRunner",
        ):
            command = [*_JAVA, *_OPENS_SUN, "-cp", f"{jars}/*", entry]
            started.append(
                subprocess.Popen(
                    [*command, "--configDir", str(configuration)],
                    stdout=(directory / "flink.log").open("ab"),
                    stderr=subprocess.STDOUT,
                )
            )
        wait_for_slots(rest)
        yield rest
    finally:
        for process in started:
            process.kill()
            process.wait()


def wait_for_slots(rest: str) -> None:
    for _ in range(120):
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://{rest}/overview", timeout=5) as response,
        ):
            if json.load(response)["slots-available"]:
                return
        time.sleep(0.5)
    raise TimeoutError(rest)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with flink(KNOWN, tmp_path_factory.mktemp("flink")) as rest:
        yield rest


def arguments(cluster: str) -> list[str]:
    version = ".".join(KNOWN.split(".")[:2])
    assert version in FlinkRunnerOptions.PUBLISHED_FLINK_VERSIONS
    return [f"--flink_master={cluster}", f"--flink_version={version}"]


def test_a_cluster_of_an_unknown_version_is_refused(tmp_path: pathlib.Path) -> None:
    with (
        flink(UNKNOWN, tmp_path) as rest,
        pytest.raises(ConfigError, match=f"runs Flink {UNKNOWN}"),
    ):
        remote_workers.require_workers(config(tmp_path, "flink", f"--flink_master={rest}"))


def test_the_missing_jar_is_named(cluster: str, tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match=r"org\.apache\.beam:beam-runners-flink"):
        remote_workers.require_workers(config(tmp_path, "flink", *arguments(cluster)))


def test_a_jar_reaches_the_cluster_which_misses_its_entry_class(
    cluster: str, tmp_path: pathlib.Path
) -> None:
    jar = tmp_path / "empty.jar"
    with zipfile.ZipFile(jar, "w") as content:
        content.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
    settings = config(tmp_path, "flink", *arguments(cluster), f"--flink_job_server_jar={jar}")
    with pytest.raises(ConfigError, match="cannot run a small job"):
        remote_workers.require_workers(settings)
    with urllib.request.urlopen(f"http://{cluster}/jars", timeout=5) as response:
        assert json.load(response)["files"]


@pytest.mark.skipif(not JAR, reason="BEAM_FLINK_JOB_SERVER_JAR names no jar")
def test_the_sample_runs(cluster: str, tmp_path: pathlib.Path) -> None:
    pool = subprocess.Popen(["python", "-m", "pipeline_def.beam_worker"])
    try:
        given = [*arguments(cluster), f"--flink_job_server_jar={JAR}"]
        variables = {
            "PIPELINE__BEAM__RUNNER": "flink",
            "PIPELINE__BEAM__PIPELINE_ARGS": json.dumps(given),
        }
        sample = Pipeline("sample", "beam", tmp_path, variables)
        run = sample.run_command(sample.make("run"))
    finally:
        pool.kill()
        pool.wait()
    assert run.code == 0, run.printed
    assert run.states.keys() >= STEPS
