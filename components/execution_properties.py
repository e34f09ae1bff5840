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
    values = dataclasses.asdict(options)
    return {
        field.name: values[field.name] if _is_kept(field) else json.dumps(values[field.name])
        for field in dataclasses.fields(options)
    }


def from_properties(options_class: type[_Options], properties: Mapping[str, Any]) -> _Options:
    """Returns the options that execution properties hold.

    Args:
        options_class: The dataclass that `to_properties` was given an instance of.
        properties: At least the properties that it returned.

    Returns:
        Equal options.

    Raises:
        KeyError: A field has no property.
    """
    return options_class(
        **{
            field.name: properties[field.name]
            if _is_kept(field)
            else json.loads(properties[field.name])
            for field in dataclasses.fields(options_class)  # type: ignore[arg-type]
        }
    )


def _is_kept(field: dataclasses.Field) -> bool:
    """Tells whether ML Metadata has the field's type; a field that may be None becomes JSON."""
    return type(field.default) in (int, float, str)
