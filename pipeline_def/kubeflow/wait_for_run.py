"""Waits for the end of a run on a cluster, with a line as each step starts and ends."""

import time
from collections.abc import Iterator, Sequence

import kfp_server_api

from pipeline_def.kubeflow.client import Cluster, ClusterError

POLL_SECONDS = 5.0
# Errors in a row before giving up, two minutes: an upgrade of the API server takes one.
MAX_FAILURES = 24

_ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
_WORDS = {
    "RUNNING": "running",
    "SUCCEEDED": "done",
    "FAILED": "failed",
    "SKIPPED": "skipped",
    "CANCELED": "canceled",
}


def wait_for_run(cluster: Cluster, run_id: str, steps: Sequence[str]) -> kfp_server_api.V2beta1Run:
    """Waits for the end of a run and prints how its steps are doing.

    Args:
        cluster: Where it runs.
        run_id: The run.
        steps: The names of the pipeline's tasks.

    Returns:
        The run as it ended.

    Raises:
        ClusterError: The run was deleted, or the cluster has not answered for two minutes.
    """
    printed: dict[str, str] = {}
    for run in _poll(cluster, run_id):
        for step, word, seconds in _states(run, steps):
            if printed.get(step) != word:
                printed[step] = word
                time_taken = "" if seconds is None else f"{seconds:6.0f} s"
                print(f"{step:<20} {word:<8} {time_taken:>8}".rstrip(), flush=True)
        if run.state in _ENDED:
            break
    return run


def failed_step(run: kfp_server_api.V2beta1Run, steps: Sequence[str]) -> str | None:
    """Returns the first step that failed in a run.

    Args:
        run: As `wait_for_run` returns it.
        steps: The names of the pipeline's tasks.

    Returns:
        The step; None if none failed.
    """
    return next((step for step, word, _ in _states(run, steps) if word == "failed"), None)


def _poll(cluster: Cluster, run_id: str) -> Iterator[kfp_server_api.V2beta1Run]:
    failures = 0
    while True:
        try:
            run = cluster.run(run_id)
        except ClusterError as error:
            failures += 1
            may_pass = error.status is None or error.status >= 500
            if not may_pass or failures == MAX_FAILURES:
                raise
        else:
            failures = 0
            yield run
        time.sleep(POLL_SECONDS)


def _states(
    run: kfp_server_api.V2beta1Run, steps: Sequence[str]
) -> Iterator[tuple[str, str, float | None]]:
    """Yields the steps that have begun, in that order, with a word and their seconds.

    The server lists the nodes of an Argo workflow. A step has the node NAME and before it
    NAME-driver, which resolves the inputs; if that fails, NAME never starts. A step that the cache
    serves looks like any other: the v2beta1 API does not tell.
    """
    tasks = (run.run_details and run.run_details.task_details) or []
    begun = [task for task in tasks if task.start_time]
    for task in sorted(begun, key=lambda task: task.start_time):
        step = task.display_name.removesuffix("-driver")
        if step not in steps or (step != task.display_name and task.state != "FAILED"):
            continue
        if task.state in _WORDS:
            ended = task.state != "RUNNING" and task.end_time
            seconds = (task.end_time - task.start_time).total_seconds() if ended else None
            yield step, _WORDS[task.state], seconds
