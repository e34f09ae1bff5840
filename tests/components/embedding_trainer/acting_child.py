"""Replaces `child` in tests, without TensorFlow.

Behaves as the job's text feature says: a JSON list with one word per host.
"""

import json
import os
import signal
import sys
from typing import Any


def _send(**message: Any) -> None:
    print(json.dumps(message), flush=True)


def main() -> None:
    job = json.loads(sys.stdin.readline())
    place = json.loads(os.environ["TF_CONFIG"])
    index = place["task"]["index"]
    with open(os.path.join(job["logs"], f"{index}.pid"), "w") as file:
        file.write(str(os.getpid()))
    act = json.loads(job["text_feature"])[index]
    if act == "join":
        _send(log="Epoch 1/1", level=20)
    elif act == "train":
        _send(log="Epoch 1/1", level=20)
        _send(properties={"cluster": json.dumps(place), "epochs_run": 1, "accuracy": 0.5})
    elif act == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    elif act == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif act == "abort":
        os.kill(os.getpid(), signal.SIGABRT)
    elif act.startswith("fail"):
        _send(error=f"ValueError: {act}", victim=False)
    elif act.startswith("suffer"):
        _send(error=f"UnavailableError: {act}", victim=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
