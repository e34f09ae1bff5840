"""Runs the compiled pipeline on this machine, each step in a container of its own.

``python -m pipeline_def.kubeflow.local STORE`` compiles what the environment configures, gives it
to kfp.local and checks what came of it. STORE is the artifact store: a directory that the Docker
daemon sees under the same path, writable for the caller. ``make kubeflow-local`` calls this in the
image.
"""

import functools
import os
import pathlib
import sys
from typing import Any, BinaryIO

import docker
from kfp import components, local
from kfp.local import docker_task_handler

from pipeline_def.config import ConfigError, load
from pipeline_def.kubeflow.check import check
from pipeline_def.kubeflow.compiler import compile_pipeline

_LOG = "steps.log"
_LINES_OF_A_FAILURE = 30


def run(spec: str, store: pathlib.Path) -> pathlib.Path:
    """Runs a compiled pipeline, one step after the other.

    Args:
        spec: The pipeline, a PipelineSpec in YAML.
        store: The artifact store, absolute. What the steps print goes into its `steps.log`.

    Returns:
        The run's directory in the store: in it a directory for each step, with its outputs.

    Raises:
        RuntimeError: A step failed.
    """
    # As the caller, and with the machine's network: a dataset may have to be downloaded.
    user = f"{os.getuid()}:{os.getgid()}"
    local.init(local.DockerRunner(network_mode="host", user=user), pipeline_root=str(store))
    with (store / _LOG).open("wb") as log:
        docker_task_handler.run_docker_container = functools.partial(_run_container, log)
        before = set(store.iterdir())
        components.load_component_from_text(spec)()
    (directory,) = set(store.iterdir()) - before
    return directory


def _run_container(
    log: BinaryIO,
    client: docker.DockerClient,
    image: str,
    command: list[str],
    volumes: Any,
    **arguments: Any,
) -> int:
    """Runs a step in the place of kfp's own function, which takes some failed steps for good ones.

    That has the daemon remove the container as it ends, and where the container is gone before it
    asks for the exit code, says 0.
    """
    container = client.containers.run(image, command, volumes=volumes, detach=True, **arguments)
    try:
        for printed in container.logs(stream=True):
            log.write(printed)
        code = int(container.wait()["StatusCode"])
        if code:
            print(container.logs(tail=_LINES_OF_A_FAILURE).decode(errors="replace"))
        return code
    finally:
        container.remove(force=True)


def main(arguments: list[str]) -> None:
    """Runs and checks the configured pipeline.

    Args:
        arguments: The artifact store.

    Raises:
        SystemExit: The configuration cannot be used, a step failed, or TensorBoard would show
            something else than the model.
    """
    if len(arguments) != 1:
        sys.exit("Usage: python -m pipeline_def.kubeflow.local STORE")
    try:
        directory = run(compile_pipeline(load()), pathlib.Path(arguments[0]).absolute())
        projection = check(directory)
    except (ConfigError, RuntimeError, ValueError) as error:
        sys.exit(str(error))
    print(f"Projection:  {projection}")


if __name__ == "__main__":
    main(sys.argv[1:])
