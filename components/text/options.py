"""Options of the preprocessing; importable without TensorFlow."""

import dataclasses
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field, StrictInt, StrictStr
from pydantic.dataclasses import dataclass

from components.text.features import LABEL, TEXT


@dataclass(frozen=True, config=pydantic.ConfigDict(extra="forbid", use_attribute_docstrings=True))
class VocabularyOptions:
    """Chooses what a token is and which tokens get an id of their own."""

    tokenizer: Literal["words", "subwords"] = "words"
    """``subwords`` are WordPiece tokens, learned from the words of the training examples."""
    top_k: Annotated[StrictInt, Field(ge=1)] = 10_000
    """Largest size of the vocabulary, which keeps the most frequent tokens. For ``subwords`` also
    the number of pieces that the learner aims at."""
    skip_top: Annotated[StrictInt, Field(ge=0)] = 0
    """Number of the most frequent tokens to remove from every text, before `top_k` is applied."""
    frequency_threshold: Annotated[StrictInt, Field(ge=1)] = 1
    """Occurrences in the training examples that a token needs to be in the vocabulary."""


@dataclass(frozen=True)
class PreprocessingOptions(VocabularyOptions):
    """Chooses the features too, for examples that do not come from TfdsExampleGen."""

    text_feature: Annotated[StrictStr, Field(min_length=1)] = TEXT
    """Feature with the text, one string in every example."""
    label_feature: Annotated[StrictStr, Field(min_length=1)] = LABEL
    """Feature with the class, one integer in every example: 0, 1, 2 and so on."""

    @classmethod
    def from_custom_config(cls, custom_config: Mapping[str, Any]) -> "PreprocessingOptions":
        """Reads the `custom_config` of a Transform component.

        Args:
            custom_config: Values of some fields of this class. Other keys are refused, except
                'code_digest', which is there for TFX's cache alone.

        Returns:
            The validated options.

        Raises:
            ValueError: A key is unknown, or a value has another type or is out of range.
        """
        values = {key: value for key, value in custom_config.items() if key != "code_digest"}
        known = [field.name for field in dataclasses.fields(cls)]
        unknown = [key for key in values if key not in known]
        if unknown:
            raise ValueError(
                f"custom_config has the unknown keys {unknown}; expected some of {known}."
            )
        return cls(**values)
