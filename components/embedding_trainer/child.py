"""The process that trains on one of several hosts.

It reads a `Job` as a line of JSON from its standard input, and joins the cluster of TF_CONFIG. To
its standard output it writes one JSON object per line: `log` and `level` for each log message of
the components, then `properties`, or `error` and `victim` (whether another worker failed first).
Then it waits to be killed, because a process that ends looks crashed to workers that still run. It
also ends when its standard input closes, which means that its parent is gone.
"""

import json
import logging
import os
import sys
import threading
from typing import Any

import pydantic

from components.embedding_trainer.job import Job


def main() -> None:
    """Runs the job that standard input describes, and reports its result."""
    lines = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # What libraries print must not get between the messages.

    def send(message: dict[str, Any]) -> None:
        lines.write(json.dumps(message) + "\n")

    job = pydantic.TypeAdapter(Job).validate_json(sys.stdin.readline())
    waiting = threading.Thread(target=_end_with_parent)
    waiting.start()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logger = logging.getLogger("components")
    logger.setLevel(logging.INFO)
    logger.addHandler(_Handler(send))
    try:
        # Not above: the import takes seconds, and the parent may end meanwhile.
        from components.embedding_trainer.trainer import train_model

        send({"properties": train_model(job)})
    except Exception as error:
        logging.exception("The training failed")
        send({"error": f"{type(error).__name__}: {error}", "victim": _is_victim(error)})
    waiting.join()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(1)


def _is_victim(error: Exception) -> bool:
    """Tells whether an error says that another worker failed."""
    import tensorflow as tf  # Not above, see `main`.

    of_others = (
        tf.errors.AbortedError,
        tf.errors.CancelledError,
        tf.errors.DeadlineExceededError,
        tf.errors.InternalError,
        tf.errors.UnavailableError,
        tf.errors.UnknownError,
    )
    return isinstance(error, of_others)


class _Handler(logging.Handler):
    def __init__(self, send: Any) -> None:
        super().__init__()
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        self._send({"log": record.getMessage(), "level": record.levelno})


if __name__ == "__main__":
    main()
