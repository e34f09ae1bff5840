"""Follows a run on a cluster to its end, with a line as each step starts and ends."""

import time
from collections.abc import Iterator, Sequence

import kfp_server_api

from pipeline_def.kubeflow.client import Cluster, ClusterError

POLL_SECONDS = 5.0
# How often in a row a cluster may fail to answer: an upgrade of its API server takes a minute.
_PATIENCE = 24

_ENDED = ("SUCCEEDED", "FAILED", "CANCELED", "SKIPPED")
_WORDS = {
    "RUNNING": "running",
    "SUCCEEDED": "done",
    "FAILED": "failed",
    "SKIPPED": "skipped",
    "CANCELED": "canceled",
}


def follow(cluster: Cluster, run_id: str, steps: Sequence[str]) -> kfp_server_api.V2beta1Run:
    """Waits for the end of a run and prints what its steps do.

    Args:
        cluster: Where it runs.
        run_id: The run.
        steps: The names of the pipeline's tasks.

    Returns:
        The run as it ended.

    Raises:
        ClusterError: The run was deleted, or the cluster has not answered for two minutes.
    """
    said: dict[str, str] = {}
    for run in _looks(cluster, run_id):
        for step, word, seconds in _states(run, steps):
            if said.get(step) != word:
                said[step] = word
                time_taken = "" if seconds is None else f"{seconds:6.0f} s"
                print(f"{step:<20} {word:<8} {time_taken:>8}".rstrip(), flush=True)
        if run.state in _ENDED:
            break
    return run


def failed_step(run: kfp_server_api.V2beta1Run, steps: Sequence[str]) -> str | None:
    """Names the first step that failed in a run.

    Args:
        run: As `follow` returns it.
        steps: The names of the pipeline's tasks.

    Returns:
        The step; None if it was no step that failed.
    """
    return next((step for step, word, _ in _states(run, steps) if word == "failed"), None)


def _looks(cluster: Cluster, run_id: str) -> Iterator[kfp_server_api.V2beta1Run]:
    failures = 0
    while True:
        try:
            run = cluster.run(run_id)
        except ClusterError as error:
            failures += 1
            passing = error.status is None or error.status >= 500
            if not passing or failures == _PATIENCE:
                raise
        else:
            failures = 0
            yield run
        time.sleep(POLL_SECONDS)


def _states(
    run: kfp_server_api.V2beta1Run, steps: Sequence[str]
) -> Iterator[tuple[str, str, float | None]]:
    """Tells the steps that have begun, in that order, each with a word and its seconds.

    The server lists the nodes of an Argo workflow, of which each task has three: NAME-driver, which
    resolves the inputs; NAME; and below that "executor", which is skipped where the driver found
    the outputs in the cache.
    """
    nodes = (run.run_details and run.run_details.task_details) or []
    skipped = {_hash(node.pod_name) for node in nodes if node.state == "SKIPPED"}
    for node in sorted(nodes, key=lambda node: node.start_time):
        step = node.display_name.removesuffix("-driver")
        if step not in steps or (step != node.display_name and node.state != "FAILED"):
            continue
        if node.state in _WORDS:
            cached = any(_hash(child.pod_name) in skipped for child in node.child_tasks or [])
            ended = node.state != "RUNNING"
            seconds = (node.end_time - node.start_time).total_seconds() if ended else None
            yield step, "cached" if cached else _WORDS[node.state], seconds


def _hash(pod_name: str) -> str:
    # Servers from 2.2 on name a node by its pod, but its parent's children by their node ids: both
    # end in the same hash.
    return pod_name.rpartition("-")[2]
