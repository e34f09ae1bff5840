import dataclasses

import pydantic
import pytest

from components.embedding_trainer.job import Job
from components.embedding_trainer.options import TrainingOptions

JOB = Job(
    examples=["/examples"],
    transform_graph="/graph",
    class_names=["bad", "gut ☺"],
    text_feature="text",
    options=TrainingOptions(epochs=3, workers=("host2:7077",), strategy="multi_worker_mirrored"),
    model="/model",
    logs="/logs",
)
AS_JSON = pydantic.TypeAdapter(Job)


def test_another_host_reads_the_same_job() -> None:
    assert AS_JSON.validate_json(AS_JSON.dump_json(JOB)) == JOB


def test_a_field_that_this_host_does_not_know_is_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match="command"):
        AS_JSON.validate_python({**dataclasses.asdict(JOB), "command": "rm"})
