"""Options classes as execution properties of a component, and back.

ML Metadata keeps integers, floats and strings. Each field of an options class becomes one
property, so that a run's options can be queried there; a field of any other type becomes JSON.
"""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from tfx.types.component_spec import ExecutionParameter

_Options = TypeVar("_Options")

_KEPT_TYPES = (int, float, str)


def parameters(options_class: type) -> dict[str, ExecutionParameter]:
    """Returns the PARAMETERS of a component's spec for a class of options.

    Args:
        options_class: A dataclass whose fields all have defaults.

    Returns:
        A parameter for each field, under the field's name.
    """
    properties = to_properties(options_class())
    return {name: ExecutionParameter(type=type(value)) for name, value in properties.items()}


def to_properties(options: Any) -> dict[str, int | float | str]:
    """Returns the execution properties that hold options.

    Args:
        options: An instance of a dataclass.

    Returns:
        A value for each field, under the field's name.
    """
    return {
        name: value if type(value) in _KEPT_TYPES else json.dumps(value)
        for name, value in dataclasses.asdict(options).items()
    }


def from_properties(options_class: type[_Options], properties: Mapping[str, Any]) -> _Options:
    """Returns the options that execution properties hold.

    Args:
        options_class: The dataclass that `to_properties` was given an instance of.
        properties: At least the properties that it returned.

    Returns:
        Equal options.
    """
    values = {}
    for field in dataclasses.fields(options_class):  # type: ignore[arg-type]
        value = properties[field.name]
        kept = type(field.default) in _KEPT_TYPES
        values[field.name] = value if kept else json.loads(value)
    return options_class(**values)
