from typing import Any

import pytest
import yaml

from tests.pipeline_def.kubeflow.lint import faults


@pytest.fixture
def documents(everything: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(everything))


def lint(documents: list[dict[str, Any]]) -> list[str]:
    return faults(yaml.safe_dump_all(documents))


def test_a_cycle(documents: list[dict[str, Any]]) -> None:
    tasks = documents[0]["root"]["dag"]["tasks"]
    tasks["Dataset"]["dependentTasks"] = ["Pusher"]
    assert any(fault.startswith("cycle") for fault in lint(documents))


def test_a_name_that_is_too_long_with_the_drivers_suffix(documents: list[dict[str, Any]]) -> None:
    tasks = documents[0]["root"]["dag"]["tasks"]
    tasks["a" * 121] = tasks["Pusher"]
    assert lint(documents) == []
    tasks["a" * 122] = tasks["Pusher"]
    assert lint(documents) == [f"task name {'a' * 122!r} is too long"]


def test_an_unknown_kubernetes_field(documents: list[dict[str, Any]]) -> None:
    executors = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    executors["exec-Pusher"]["toleration"] = []
    assert lint(documents) == ["exec-Pusher: unknown Kubernetes field toleration"]


def test_what_the_server_accepts_all_the_same(documents: list[dict[str, Any]]) -> None:
    tasks = documents[0]["root"]["dag"]["tasks"]
    tasks["Pusher-"] = tasks["Pusher"]
    executors = documents[0]["deploymentSpec"]["executors"]
    executors["exec-Dataset"]["container"]["image"] = ""
    del executors["exec-Transform"]["container"]["command"]
    assert sorted(lint(documents)) == [
        "Dataset: no image or no command",
        "Transform: no image or no command",
        "task name 'Pusher-' ends in '-'",
    ]
