from typing import Any

import pytest

from components.embedding_trainer.options import TrainingOptions


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"embedding_dim": 0}, "embedding_dim is 0; expected at least 1"),
        ({"epochs": -1}, "epochs is -1; expected at least 1"),
        ({"learning_rate": 0.0}, r"learning_rate is 0\.0; expected more than 0"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"seed": -1}, "seed is -1; expected at least 0"),
        ({"seed": 2**32}, "seed is 4294967296; expected less than"),
        ({"validation_fraction": 1.0}, r"validation_fraction is 1\.0; expected in \[0, 1\)"),
        ({"strategy": "miror"}, "strategy is 'miror'; expected one of auto, one_device, mirrored"),
        ({"validation_fraction": 0.0}, "early_stopping_patience is 1 but validation_fraction is 0"),
    ],
)
def test_a_value_out_of_range_is_refused(option: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingOptions(**option)


@pytest.mark.parametrize("option", [{"epochs": 2.0}, {"epochs": True}, {"learning_rate": "high"}])
def test_a_value_of_another_type_is_refused(option: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match=next(iter(option))):
        TrainingOptions(**option)


def test_tuned_values_replace_those_of_the_same_name() -> None:
    found = {"space": [], "values": {"learning_rate": 1, "epochs": 7, "tuner/epochs": 2}}

    options = TrainingOptions(hidden_units=5).tuned(found, "best.txt")

    assert options == TrainingOptions(hidden_units=5, learning_rate=1.0, epochs=7)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"values": {"dropout": 0.5}}, r"best.txt: hyperparameters \['dropout'\] have no effect"),
        ({"values": {"epochs": 0}}, "best.txt: epochs is 0"),
        ({"epochs": 3}, r"best.txt: .*'values'; found the keys \['epochs'\]"),
    ],
)
def test_useless_hyperparameters_are_refused(found: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingOptions().tuned(found, "best.txt")
