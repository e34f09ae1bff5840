from typing import Any

import pytest
from tfx import v1 as tfx
from tfx.types import channel_utils

from components.code_digest import source_digest
from components.embedding_trainer.component import EmbeddingTrainer

standard_artifacts = tfx.types.standard_artifacts


def _component(**options: Any) -> EmbeddingTrainer:
    return EmbeddingTrainer(
        examples=channel_utils.as_channel([standard_artifacts.Examples()]),
        transform_graph=channel_utils.as_channel([standard_artifacts.TransformGraph()]),
        **options,
    )


def test_every_option_and_the_code_are_recorded() -> None:
    component = _component(learning_rate=1, train_splits=["train", "more"])

    assert component.exec_properties == {
        "embedding_dim": 16,
        "hidden_units": 16,
        "epochs": 10,
        "batch_size": 128,
        "learning_rate": 1.0,
        "seed": 0,
        "strategy": "auto",
        "max_tokens_per_example": 1024,
        "validation_fraction": 0.1,
        "early_stopping_patience": 1,
        "train_splits": '["train", "more"]',
        "code_digest": source_digest(
            "components.embedding_trainer", "components.artifacts", "components.text"
        ),
    }


def test_the_outputs_are_what_stock_components_take() -> None:
    outputs = _component().outputs

    assert {key: channel.type for key, channel in outputs.items()} == {
        "model": standard_artifacts.Model,
        "model_run": standard_artifacts.ModelRun,
    }


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0; expected at least 1"),
        ({"strategy": "gpu"}, "strategy is 'gpu'; expected one of auto"),
        ({"train_splits": "train"}, "train_splits is 'train'; expected a list"),
        ({"train_splits": []}, "train_splits is .*; expected a list"),
    ],
)
def test_an_option_out_of_range_is_refused_at_construction(
    option: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        _component(**option)
