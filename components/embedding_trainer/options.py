"""Options of the training; importable without TensorFlow."""

from typing import Annotated, Literal

import pydantic
from pydantic import Field, StrictFloat, StrictInt
from pydantic.dataclasses import dataclass

_PositiveInt = Annotated[StrictInt, Field(ge=1)]


def _require_port(address: str) -> str:
    if not 0 < int(address.rpartition(":")[2]) < 2**16:
        raise ValueError("expected HOST:PORT with a port from 1 to 65535")
    return address


_Address = Annotated[
    str, Field(pattern=r"^[^\s:]+:\d{1,5}$"), pydantic.AfterValidator(_require_port)
]


@dataclass(frozen=True, config=pydantic.ConfigDict(extra="forbid", use_attribute_docstrings=True))
class TrainingOptions:
    """Chooses how EmbeddingTrainer trains.

    The global batch is `batch_size` times the number of replicas, and the learning rate grows with
    it. Training ends after `epochs`, or earlier by `early_stopping_patience`, which needs a
    `validation_fraction`.
    """

    embedding_dim: _PositiveInt = 16
    """Columns of the embedding."""
    hidden_units: _PositiveInt = 16
    """Units of the dense layer behind the mean of the embedded tokens."""
    epochs: _PositiveInt = 100
    """Largest number of passes over the training examples. Early stopping ends the training after 5
    passes over the 25,000 IMDB reviews, and after 50 to 80 over 800 news articles."""
    batch_size: _PositiveInt = 128
    """Examples in a step of one replica."""
    learning_rate: Annotated[StrictFloat, Field(gt=0, allow_inf_nan=False)] = 0.003
    """Adam's learning rate for one replica."""
    initial_embedding: Literal["cooccurrence", "random"] = "cooccurrence"
    """Embedding that training starts from. ``cooccurrence`` computes it from the words that occur
    near each other in the training examples, so that nearest neighbors share contexts and most of
    them are the same in the next training. From ``random``, two trainings agree only on the
    direction of the classes."""
    initial_embedding_penalty: Annotated[StrictFloat, Field(ge=0, allow_inf_nan=False)] = 1e-5
    """L2 penalty for leaving the co-occurrence start: half of it times the squared distance is
    added to the loss. `benchmarks/neighbors.py` compares penalties: 0 keeps fewer neighbors, and
    1e-4 or more costs accuracy."""
    seed: Annotated[StrictInt, Field(ge=0, lt=2**32)] = 0
    """Seed of the initial weights and of the order of the examples."""
    strategy: Literal["auto", "one_device", "mirrored", "multi_worker_mirrored", "tpu"] = "auto"
    """The tf.distribute strategy; ``auto`` chooses by the devices."""
    workers: tuple[_Address, ...] = ()
    """For ``multi_worker_mirrored``, HOST:PORT of the worker on each further host. The cache sees
    their number, which changes the training, but not their addresses."""
    max_sequence_length: _PositiveInt = 1024
    """Tokens of a text that the model reads, in training and in serving; the rest is cut off."""
    validation_fraction: Annotated[StrictFloat, Field(ge=0, lt=1)] = 0.1
    """Share of the training examples to validate on after each epoch; 0 for no validation."""
    early_stopping_patience: Annotated[StrictInt, Field(ge=0)] = 1
    """Epochs without a lower validation loss after which training ends with the weights of the best
    epoch; 0 to run all epochs and take the weights of the last one."""

    @pydantic.model_validator(mode="after")
    def _require_workers(self) -> "TrainingOptions":
        if (self.strategy == "multi_worker_mirrored") != bool(self.workers):
            raise ValueError(
                f"strategy is {self.strategy!r} and workers is {list(self.workers)}; expected "
                "'multi_worker_mirrored' with the HOST:PORT of each further host, or another "
                "strategy without workers."
            )
        if len(set(self.workers)) < len(self.workers):
            raise ValueError(f"workers is {list(self.workers)}; expected each host once.")
        return self

    @pydantic.model_validator(mode="after")
    def _require_validation(self) -> "TrainingOptions":
        if self.early_stopping_patience and not self.validation_fraction:
            raise ValueError(
                f"early_stopping_patience is {self.early_stopping_patience} but "
                "validation_fraction is 0, so that no loss tells when to stop; raise "
                "validation_fraction, or set early_stopping_patience to 0."
            )
        return self
