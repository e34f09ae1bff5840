"""Runs the compiled pipeline on this machine, each step in a container of its own.

``python -m pipeline_def.kubeflow.local STORE`` compiles what the environment configures, gives it
to kfp.local and checks what came of it. STORE is the artifact store: a directory that the Docker
daemon sees under the same path, writable for the caller. ``make kubeflow-local`` calls this in the
image.
"""

import functools
import itertools
import json
import os
import pathlib
import sys
import time
from typing import Any, TextIO

from pipeline_def import startup  # noqa: F401  Before TensorFlow is imported.

# isort: split
import docker
from kfp import components, local
from kfp.local import docker_task_handler

from pipeline_def import console
from pipeline_def.config import load
from pipeline_def.kubeflow.check import check
from pipeline_def.kubeflow.compiler import compile_pipeline

_LINES_OF_A_FAILURE = 30


class StepError(Exception):
    """A step that failed: its name, and the end of what it printed."""


def run(spec: str, store: pathlib.Path, terminal: TextIO) -> pathlib.Path:
    """Runs a compiled pipeline, one step after the other.

    Args:
        spec: The pipeline, a PipelineSpec in YAML.
        store: The artifact store, absolute.
        terminal: Gets a line as each step starts and ends. What the steps print is printed.

    Returns:
        The run's directory in the store: in it a directory for each step, with its outputs.

    Raises:
        StepError: A step failed.
    """
    docker_task_handler.run_docker_container = functools.partial(_run_container, terminal)
    # As the caller, and with the machine's network: a dataset may have to be downloaded.
    user = f"{os.getuid()}:{os.getgid()}"
    local.init(local.DockerRunner(network_mode="host", user=user), pipeline_root=str(store))
    pipeline = components.load_component_from_text(spec)
    runs = f"{pipeline.name}-*"
    before = set(store.glob(runs))
    pipeline()
    (directory,) = set(store.glob(runs)) - before
    return directory


def _run_container(
    terminal: TextIO,
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
    step = _step(command)
    start = time.monotonic()
    print(console.step_line(step, "running"), file=terminal, flush=True)
    container = client.containers.run(image, command, volumes=volumes, detach=True, **arguments)
    try:
        for printed in container.logs(stream=True):
            print(printed.decode(errors="replace"), end="")
        code = int(container.wait()["StatusCode"])
        state = "failed" if code else "done"
        print(console.step_line(step, state, time.monotonic() - start), file=terminal, flush=True)
        if code:
            last = container.logs(tail=_LINES_OF_A_FAILURE).decode(errors="replace")
            raise StepError(f"{last}\n{step} failed with exit code {code}.")
        return code
    finally:
        container.remove(force=True)


def _step(command: list[str]) -> str:
    """Names the step of a command: the directory of its outputs is named after it."""
    after = dict(itertools.pairwise(command))
    executor_input = json.loads(after["--json_serialized_invocation_args"])
    return pathlib.Path(executor_input["outputs"]["outputFile"]).parent.name


def main(arguments: list[str]) -> None:
    """Runs and checks the configured pipeline.

    Args:
        arguments: The artifact store. What libraries and steps print goes into its `steps.log`.

    Raises:
        SystemExit: The configuration cannot be used, a step failed, or TensorBoard would show
            something else than the model.
    """
    if len(arguments) != 1:
        sys.exit("Usage: python -m pipeline_def.kubeflow.local STORE")
    store = pathlib.Path(arguments[0]).absolute()
    log = store / "steps.log"
    try:
        spec = compile_pipeline(load())
        with console.quiet(log) as terminal:
            projection = check(run(spec, store, terminal))
    except ValueError as error:  # A ConfigError, or what the check says.
        sys.exit(str(error))
    except StepError as error:
        sys.exit(f"{error}\nThe whole story is in {log}")
    print(f"\nProjection:  {projection}")
    print(f"See it:      tensorboard --logdir {projection.parent}")
    print(f"Log:         {log}")


if __name__ == "__main__":
    main(sys.argv[1:])
