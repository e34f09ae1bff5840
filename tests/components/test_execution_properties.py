from typing import Literal

import pydantic
import pytest
from pydantic.dataclasses import dataclass

from components import execution_properties


@dataclass(frozen=True)
class _Options:
    size: pydantic.StrictInt = 3
    rate: float = 0.5
    name: Literal["a", "b"] = "a"
    words: tuple[str, ...] = ()
    seed: int | None = None
    verbose: bool = False


def test_every_field_is_a_property_of_a_type_that_ml_metadata_keeps() -> None:
    options = _Options(size=4, rate=0.25, name="b", words=("x", "y z"), seed=7, verbose=True)

    properties = execution_properties.to_properties(options)

    assert properties == {
        "size": 4,
        "rate": 0.25,
        "name": "b",
        "words": '["x", "y z"]',
        "seed": "7",
        "verbose": "true",
    }


@pytest.mark.parametrize(
    "options",
    [
        _Options(),
        _Options(size=4, rate=1e-9, name="b", words=("x", "ü"), seed=7, verbose=True),
    ],
)
def test_options_survive_the_way_through_properties(options: _Options) -> None:
    properties = execution_properties.to_properties(options)

    kept = execution_properties.from_properties(_Options, {**properties, "other": "property"})

    assert kept == options


def test_the_spec_has_a_parameter_of_the_fitting_type_for_each_field() -> None:
    parameters = execution_properties.parameters(_Options)

    assert {name: parameter.type for name, parameter in parameters.items()} == {
        "size": int,
        "rate": float,
        "name": str,
        "words": str,
        "seed": str,
        "verbose": str,
    }


def test_properties_are_validated_like_options() -> None:
    properties = execution_properties.to_properties(_Options())

    with pytest.raises(ValueError, match="name"):
        execution_properties.from_properties(_Options, {**properties, "name": "c"})
    with pytest.raises(KeyError, match="size"):
        execution_properties.from_properties(
            _Options, {name: value for name, value in properties.items() if name != "size"}
        )
