"""The knobs of the training, with their defaults and their ranges."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker_mirrored", "tpu")
TUNABLE = ("embedding_dim", "hidden_units", "epochs", "batch_size", "learning_rate")

_POSITIVE = ("embedding_dim", "hidden_units", "epochs", "batch_size", "max_tokens_per_example")

# Hyperband keeps notes of its own among the values.
_TUNER_PREFIX = "tuner/"


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Attributes:
        embedding_dim: Columns of the embedding.
        hidden_units: Units of the dense layer after the mean.
        epochs: The most passes over the training examples.
        batch_size: Examples a step and replica.
        learning_rate: Adam's, for one replica.
        seed: Of the initial weights and the order of the examples.
        strategy: One of STRATEGIES.
        max_tokens_per_example: Tokens after that many are ignored, in serving as well.
        validation_fraction: Share of the training examples that is held out to be validated on
            after every epoch, in [0, 1); 0 for no validation.
        early_stopping_patience: Epochs without a lower validation loss after which training ends
            with the weights of the best epoch; 0 for never.
    """

    # For pydantic, should a configuration hold these options.
    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012

    embedding_dim: int = 16
    hidden_units: int = 16
    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 0.003
    seed: int = 0
    strategy: str = "auto"
    max_tokens_per_example: int = 1024
    validation_fraction: float = 0.1
    early_stopping_patience: int = 1

    def __post_init__(self) -> None:
        """Refuses what no training can be done with.

        Raises:
            TypeError: A value is of another type.
            ValueError: A value is out of range.
        """
        for field in dataclasses.fields(self):
            value: Any = getattr(self, field.name)
            expected: Any = field.type
            if expected is float and type(value) is int:
                object.__setattr__(self, field.name, float(value))
            elif type(value) is not expected:
                raise TypeError(f"{field.name} is {value!r}; expected {expected.__name__}.")
        for name in _POSITIVE:
            _check(self, name, getattr(self, name) >= 1, "at least 1")
        for name in ("seed", "early_stopping_patience"):
            _check(self, name, getattr(self, name) >= 0, "at least 0")
        _check(self, "seed", self.seed < 2**32, "less than 2**32")
        _check(
            self,
            "learning_rate",
            self.learning_rate > 0 and math.isfinite(self.learning_rate),
            "more than 0 and finite",
        )
        _check(self, "validation_fraction", 0 <= self.validation_fraction < 1, "in [0, 1)")
        _check(self, "strategy", self.strategy in STRATEGIES, f"one of {', '.join(STRATEGIES)}")
        if self.early_stopping_patience and not self.validation_fraction:
            raise ValueError(
                f"early_stopping_patience is {self.early_stopping_patience} but "
                "validation_fraction is 0, so that there is nothing to stop by; give a "
                "validation_fraction, or early_stopping_patience=0."
            )

    def tuned(self, hyperparameters: Mapping[str, Any], source: str) -> "TrainingOptions":
        """Takes over what a tuner found.

        Args:
            hyperparameters: A KerasTuner HyperParameters config; its `values` are taken.
            source: Where it was read from, for error messages.

        Returns:
            Options with the TUNABLE values of the same names replaced.

        Raises:
            TypeError: A value is of another type.
            ValueError: There are no values, one has another name, or one is out of range.
        """
        values = hyperparameters.get("values")
        if not isinstance(values, Mapping):
            raise ValueError(
                f"{source}: expected the JSON of KerasTuner's HyperParameters.get_config(), an "
                f"object with 'values'; found the keys {sorted(hyperparameters)}."
            )
        values = {k: v for k, v in values.items() if not k.startswith(_TUNER_PREFIX)}
        unknown = sorted(set(values) - set(TUNABLE))
        if unknown:
            raise ValueError(
                f"{source}: hyperparameters {unknown} have no effect here; name them in the "
                f"tuner as one of {', '.join(TUNABLE)}, or leave them out."
            )
        try:
            return dataclasses.replace(self, **values)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{source}: {error}") from error


def _check(options: TrainingOptions, name: str, valid: bool, expected: str) -> None:
    if not valid:
        raise ValueError(f"{name} is {getattr(options, name)!r}; expected {expected}.")
