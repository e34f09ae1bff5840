import dataclasses
from typing import Any

import pytest

from components.embedding_trainer.options import TrainingOptions

_SEVERAL = {"strategy": "multi_worker_mirrored"}


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"embedding_dim": 0}, "embedding_dim\n.*greater than or equal to 1"),
        ({"hidden_units": 0}, "hidden_units\n.*greater than or equal to 1"),
        ({"epochs": -1}, "epochs\n.*greater than or equal to 1"),
        ({"batch_size": 0}, "batch_size\n.*greater than or equal to 1"),
        ({"learning_rate": 0.0}, "learning_rate\n.*greater than 0"),
        ({"learning_rate": float("nan")}, "learning_rate\n"),
        ({"learning_rate": float("inf")}, "learning_rate\n.*finite"),
        ({"seed": -1}, "seed\n.*greater than or equal to 0"),
        ({"seed": 2**32}, "seed\n.*less than 4294967296"),
        ({"max_sequence_length": 0}, "max_sequence_length\n.*greater than or equal to 1"),
        ({"validation_fraction": -0.1}, "validation_fraction\n.*greater than or equal to 0"),
        ({"validation_fraction": 1.0}, "validation_fraction\n.*less than 1"),
        ({"early_stopping_patience": -1}, "early_stopping_patience\n.*greater than or equal to 0"),
        (
            {"strategy": "multi_worker_mirrored"},
            r"workers is \[\]; expected 'mul",
        ),
        ({"workers": ["host2:7077"]}, r"strategy is 'auto' and workers is \['host2:7077'\]"),
        ({**_SEVERAL, "workers": ["host2:7077", "host2:7077"]}, "expected each host once"),
        ({**_SEVERAL, "workers": ["host2"]}, r"workers.*\n.*should match pattern"),
        ({**_SEVERAL, "workers": ["host2:65536"]}, r"workers.*\n.*a port from 1 to 65535"),
        ({"strategy": "miror"}, "strategy\n.*'auto', 'one_device', 'mirrored'.*'miror'"),
        ({"validation_fraction": 0.0}, "early_stopping_patience is 1 but validation_fraction is 0"),
    ],
)
def test_a_value_out_of_range_is_refused(option: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TrainingOptions(**option)


@pytest.mark.parametrize(
    "option",
    [
        {"epochs": 2.0},
        {"epochs": True},
        {"embedding_dim": "16"},
        {"learning_rate": "0.1"},
        {"validation_fraction": "0.1"},
        {"strategy": 1},
        {"epoch": 2},
    ],
)
def test_a_value_of_another_type_and_an_unknown_name_are_refused(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(option))):
        TrainingOptions(**option)


def test_the_extremes_of_the_ranges_are_accepted() -> None:
    TrainingOptions(seed=0)
    TrainingOptions(seed=2**32 - 1, epochs=1, batch_size=1, embedding_dim=1, hidden_units=1)
    TrainingOptions(max_sequence_length=1, early_stopping_patience=0, validation_fraction=0)


def test_the_defaults() -> None:
    assert dataclasses.asdict(TrainingOptions()) == {
        "embedding_dim": 16,
        "hidden_units": 16,
        "initial_embedding": "cooccurrence",
        "initial_embedding_penalty": 1e-5,
        "epochs": 100,
        "batch_size": 128,
        "learning_rate": 0.003,
        "seed": 0,
        "strategy": "auto",
        "workers": (),
        "max_sequence_length": 1024,
        "validation_fraction": 0.1,
        "early_stopping_patience": 1,
    }
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrainingOptions().epochs = 2  # type: ignore[misc]
