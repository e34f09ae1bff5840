"""Waits for the end of a run on a cluster, with a line as each step starts and ends.

kfp's own `wait_for_run_completion` prints nothing, gives up at the first error, and waits for ever
if the run is canceled.
"""

import time
from collections.abc import Iterator, Sequence

import kfp
import kfp_server_api
import urllib3

POLL_SECONDS = 5.0
# Errors in a row before giving up, two minutes: an upgrade of the API server takes one.
MAX_FAILURES = 24

_WORDS = {
    "RUNNING": "running",
    "SUCCEEDED": "done",
    "FAILED": "failed",
    "SKIPPED": "skipped",
    "CANCELED": "canceled",
}
_ENDED = _WORDS.keys() - {"RUNNING"}


def wait_for_run(
    client: kfp.Client, run_id: str, steps: Sequence[str]
) -> kfp_server_api.V2beta1Run:
    """Waits for the end of a run, and prints a line as each step starts and ends.

    Args:
        client: The client of the cluster.
        run_id: Id of the run.
        steps: Names of the pipeline's tasks.

    Returns:
        The run as it ended.

    Raises:
        kfp_server_api.ApiException: The run was deleted, or the server has answered nothing but
            errors for two minutes.
        urllib3.exceptions.HTTPError: The server has not answered for two minutes.
    """
    printed: dict[str, str] = {}
    for run in _poll(client, run_id):
        for step, word, seconds in _states(run, steps):
            if printed.get(step) != word:
                printed[step] = word
                time_taken = "" if seconds is None else f"{seconds:6.0f} s"
                print(f"{step:<20} {word:<8} {time_taken:>8}".rstrip(), flush=True)
        if run.state in _ENDED:
            break
    return run


def _poll(client: kfp.Client, run_id: str) -> Iterator[kfp_server_api.V2beta1Run]:
    failures = 0
    while True:
        try:
            yield client.get_run(run_id)
            failures = 0
        except (kfp_server_api.ApiException, urllib3.exceptions.HTTPError) as error:
            failures += 1
            may_pass = getattr(error, "status", 500) >= 500
            if not may_pass or failures == MAX_FAILURES:
                raise
        time.sleep(POLL_SECONDS)


def _states(
    run: kfp_server_api.V2beta1Run, steps: Sequence[str]
) -> Iterator[tuple[str, str, float | None]]:
    """Yields the steps that have begun, in order of their start, with state and seconds.

    The server lists the nodes of an Argo workflow. A step has a node NAME and before it a node
    NAME-driver, which resolves the inputs; if that fails, NAME never starts. The v2beta1 API does
    not tell which steps the cache served.
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
