"""Checks, before the first step, that the workers of a remote Beam runner can do the work."""

import json
import pathlib
import platform
import shutil
import socket
import urllib.request
from typing import Any

import apache_beam as beam
import tensorflow as tf
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    PipelineOptions,
    PortableOptions,
)

from components.code_digest import source_digest
from components.tfds_example_gen import prepared
from pipeline_def import console, workers
from pipeline_def.config import ConfigError, PipelineConfig

_SECONDS = 5
_LOOKS = 8
# What runs on workers: ingestion, Transform's function, and the metrics.
_BEAM_STEPS = (
    "components.tfds_example_gen.executor",
    "components.text.preprocessing",
    "components.evaluation",
)


def require_workers(config: PipelineConfig) -> None:
    """Refuses a remote Beam runner that cannot run the pipeline of a configuration.

    A small job lets the workers report their versions, write under the output directory, and look
    for the data directory.

    Args:
        config: The configuration; nothing is checked if its runner is 'local'.

    Raises:
        ConfigError: The runner does not answer, or its workers have other code or versions, or do
            not share the directories.
    """
    if config.beam.runner == "local":
        return
    options = PipelineOptions(workers.beam_pipeline_args(config.beam))
    if config.beam.runner == "flink":
        _require_flink(options.view_as(FlinkRunnerOptions))
    else:
        endpoint = options.view_as(PortableOptions).job_endpoint
        _require_answer("--job_endpoint", endpoint)
    _require_same_installation(_look_around(config, options))


def _require_answer(argument: str, address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_SECONDS).close()
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"beam.pipeline_args: nothing answers at {argument}={address} ({error}). Start the "
            "runner, or correct the address HOST:PORT."
        ) from error


def _require_flink(options: Any) -> None:
    """Refuses a Flink cluster that does not answer or that this Beam has no runner for."""
    url = f"http://{options.flink_master.removeprefix('http://')}/v1/config"
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as response:
            found = json.load(response)["flink-version"]
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"beam.pipeline_args: no Flink cluster answers at --flink_master="
            f"{options.flink_master} ({error}). Start it, or correct the address HOST:PORT of its "
            "REST interface."
        ) from error
    version = ".".join(found.split(".")[:2])
    known = FlinkRunnerOptions.PUBLISHED_FLINK_VERSIONS
    if version not in known:
        raise ConfigError(
            f"The cluster {options.flink_master} runs Flink {found}, and Beam {beam.__version__} "
            f"has runners for {', '.join(known)}. Use a cluster of one of these versions."
        )
    if options.flink_version != version:
        raise ConfigError(
            f"The cluster {options.flink_master} runs Flink {found}. Add --flink_version={version} "
            "to beam.pipeline_args."
        )
    jar = options.flink_job_server_jar
    if not jar or not pathlib.Path(jar).is_file():
        raise ConfigError(
            f"beam.pipeline_args: expected --flink_job_server_jar=FILE, found {jar!r}. The file is "
            f"org.apache.beam:beam-runners-flink-{version}-job-server:{beam.__version__} of Maven "
            "Central."
        )


def _look_around(config: PipelineConfig, options: PipelineOptions) -> dict[str, dict[str, str]]:
    """Returns the versions that the workers report, by host."""
    data_dir = prepared.data_root(config.dataset.data_dir)
    found_here = str(data_dir) if data_dir.exists() else None
    directory = config.root / ".workers"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    try:
        with beam.Pipeline(options=options) as pipeline:
            _ = (
                pipeline
                | beam.Create(range(_LOOKS))
                | beam.Reshuffle()
                | beam.Map(look_around, str(directory), found_here)
            )
        found = {path.name: json.loads(path.read_text()) for path in directory.iterdir()}
    except Exception as error:
        raise ConfigError(
            "The workers of the Beam runner cannot run a small job. Do they have this project "
            f"installed, and see {directory.parent} and the data directory under the same paths?\n"
            f"{console.own_message(error)}"
        ) from error
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if not found:
        raise ConfigError(
            f"What the workers of the Beam runner wrote to {directory} did not arrive here: mount "
            f"{directory.parent} on every worker, under the same path."
        )
    return found


def look_around(number: int, directory: str, data_dir: str | None) -> int:
    """Checks that the data directory exists, and writes this worker's versions to a file.

    Args:
        number: The element of the Beam job.
        directory: Where to write the file, which has the host's name.
        data_dir: The directory that must exist; None for none.

    Returns:
        `number`.

    Raises:
        OSError: `data_dir` is missing, or `directory` cannot be written to.
    """
    host = socket.gethostname()
    if data_dir and not tf.io.gfile.exists(data_dir):
        raise FileNotFoundError(f"{host} has no directory {data_dir}.")
    pathlib.Path(directory, host).write_text(json.dumps(_installation()))
    return number


def _installation() -> dict[str, str]:
    return {
        "Python": platform.python_version(),
        "Beam": beam.__version__,
        "TensorFlow": tf.__version__,
        "code": "-".join(source_digest(module) for module in _BEAM_STEPS),
    }


def _require_same_installation(found: dict[str, dict[str, str]]) -> None:
    here = _installation()
    for host, there in sorted(found.items()):
        for name, version in here.items():
            if there.get(name) != version:
                raise ConfigError(
                    f"The Beam worker {host} has {name} {there.get(name)}, and this machine has "
                    f"{version}. Install the same on both."
                )
