"""Runs a compiled pipeline on this machine, each step in a container of its own.

``python -m pipeline_def.kubeflow.local PIPELINE STORE`` runs the YAML file PIPELINE with kfp.local.
STORE is the artifact store: a directory that the Docker daemon sees under the same path and that
the caller may write. ``make kubeflow-local`` calls this in the image, because kfp 2.5, which goes
with TFX 1.16, runs no pipelines.
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

_LINES_OF_A_FAILURE = 30


def _run(compiled: pathlib.Path, store: pathlib.Path, terminal: TextIO) -> pathlib.Path:
    """Runs the steps of a compiled pipeline, and returns the run's directory in the store.

    Prints a line to the terminal as each step starts and ends, and the steps' own output to stdout.
    """
    docker_task_handler.run_docker_container = functools.partial(_run_container, terminal)
    # As the caller, and with the machine's network: a dataset may have to be downloaded.
    user = f"{os.getuid()}:{os.getgid()}"
    runner = local.DockerRunner(network_mode="host", user=user)
    # Without a workspace, which the daemon would make in /tmp and leave there.
    local.init(runner, pipeline_root=str(store), workspace_root="")
    pipeline = components.load_component_from_file(str(compiled))
    runs = f"{pipeline.name}-*"
    before = set(store.glob(runs))
    pipeline()
    (directory,) = set(store.glob(runs)) - before
    return directory


def _run_container(
    terminal: TextIO, client: docker.DockerClient, image: str, command: list[str], **arguments: Any
) -> int:
    """Runs a step, in place of kfp's function, and returns its exit code.

    kfp lets the daemon remove the container when it ends. If that happens before kfp asks for the
    exit code, kfp takes the step for successful, as it did in 2 of 12 failing pipelines.
    """
    step = _step(command)
    start = time.monotonic()
    print(console.step_line(step, "running"), file=terminal, flush=True)
    container = client.containers.run(image, command, detach=True, **arguments)
    try:
        for printed in container.logs(stream=True):
            print(printed.decode(errors="replace"), end="")
        code = int(container.wait()["StatusCode"])
        state = "failed" if code else "done"
        print(console.step_line(step, state, time.monotonic() - start), file=terminal, flush=True)
        if code:
            last = container.logs(tail=_LINES_OF_A_FAILURE).decode(errors="replace")
            print(f"{last}\n{step} failed with exit code {code}.", file=terminal, flush=True)
        return code
    finally:
        container.remove(force=True)


def _step(command: list[str]) -> str:
    """Returns the name of the step that a command runs, which is that of its output directory."""
    value_of = dict(itertools.pairwise(command))
    executor_input = json.loads(value_of["--json_serialized_invocation_args"])
    return pathlib.Path(executor_input["outputs"]["outputFile"]).parent.name


def main(arguments: list[str]) -> None:
    """Runs a compiled pipeline; what libraries and steps print goes into `STORE/steps.log`.

    Args:
        arguments: The file PIPELINE and the directory STORE.

    Raises:
        SystemExit: There are not two arguments, or a step failed.
    """
    if len(arguments) != 2:
        sys.exit("Usage: python -m pipeline_def.kubeflow.local PIPELINE STORE")
    compiled, store = (pathlib.Path(argument).absolute() for argument in arguments)
    log = store / "steps.log"
    try:
        with console.quiet(log) as terminal:
            outputs = _run(compiled, store, terminal) / "ProjectorExporter"
    except RuntimeError:  # kfp raises it for a failed step, whose last lines have been printed.
        sys.exit(f"All output of the steps: {log}")
    print(f"\nProjection:  {outputs / 'projection'}")
    print(f"Look at it:  {outputs / 'visualization'}")
    print(f"TensorBoard: tensorboard --logdir {outputs / 'projection'}")
    print(f"Log:         {log}")


if __name__ == "__main__":
    main(sys.argv[1:])
