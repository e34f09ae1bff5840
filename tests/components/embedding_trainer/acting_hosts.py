"""Starts workers in this process, whose children do as `acting_child` says."""

import contextlib
import json
import pathlib
import threading
import time
from collections.abc import Callable, Iterator

from components.embedding_trainer import cluster, worker
from components.embedding_trainer.job import Job
from components.embedding_trainer.messages import Connection
from components.embedding_trainer.options import TrainingOptions


@contextlib.contextmanager
def serve(port: int = 0) -> Iterator[str]:
    """Runs a worker in a ``with`` block and yields its address."""
    with worker.Server(("127.0.0.1", port)) as server:
        server.daemon_threads = False  # The server then waits for its threads before it closes.
        threading.Thread(target=server.serve_forever).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def job_for(directory: pathlib.Path, workers: list[str], *acts: str) -> Job:
    """Returns a job that tells each host's `acting_child` what to do, the chief's first."""
    return Job(
        examples=[str(directory)],
        transform_graph=str(directory),
        class_names=[],
        text_feature=json.dumps(acts),
        options=TrainingOptions(strategy="multi_worker_mirrored", workers=tuple(workers)),
        model=str(directory / "model"),
        logs=str(directory),
    )


def engage(address: str, job: Job) -> Connection:
    """Connects to a worker as a chief does, up to where it would start its child."""
    connection, port = cluster._engage(address, cluster._request(job), time.monotonic() + 10)
    assert port
    return connection


def state(pid: int) -> str:
    """Returns the state letter of a process from /proc; 'Z' if it has ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):  # The latter if it ends during the read.
        return "Z"


def children_of(directory: pathlib.Path) -> list[int]:
    """Returns the process ids of the children that have started."""
    return [int(text) for path in directory.glob("*.pid") if (text := path.read_text())]


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits until a condition holds; fails after 30 s."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def wait_for_answers() -> None:
    """Waits until no worker answers a connection, so that the test sees all that they print."""
    threads = threading.enumerate
    wait_until(lambda: not any("process_request" in thread.name for thread in threads()))


def require_no_children(directory: pathlib.Path) -> None:
    """Waits until all children have ended, of which there must have been one."""
    pids = children_of(directory)
    assert pids
    wait_until(lambda: all(state(pid) == "Z" for pid in pids))
