"""Values for the parameters of a compiled pipeline, as words on a command line."""

import difflib
from collections.abc import Collection, Iterable
from typing import Any

import yaml

# The Python types that a parameter of each type takes, read as YAML.
_TYPES: dict[str, tuple[type, ...]] = {
    "NUMBER_INTEGER": (int,),
    "NUMBER_DOUBLE": (float, int),
    "BOOLEAN": (bool,),
    "LIST": (list,),
    "STRUCT": (dict,),
}


def parse(words: Iterable[str], pipeline: dict[str, Any]) -> dict[str, Any]:
    """Reads arguments by what the pipeline declares.

    Args:
        words: Each as NAME=VALUE; a value that is no text is YAML.
        pipeline: The PipelineSpec.

    Returns:
        The values by name.

    Raises:
        ValueError: A word has another form, the pipeline has no such parameter, a value is of
            another type, or one without default is missing.
    """
    declared = pipeline["root"].get("inputDefinitions", {}).get("parameters", {})
    values = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise ValueError(f"--arg {word}: expected NAME=VALUE.")
        if name not in declared:
            hint = _hint(name, declared)
            raise ValueError(f"--arg {word}: the pipeline has no parameter {name!r}. {hint}")
        values[name] = _value(word, text, declared[name]["parameterType"])
    for name, parameter in declared.items():
        optional = "defaultValue" in parameter or parameter.get("isOptional")
        if name not in values and not optional:
            raise ValueError(f"The parameter {name} has no default: pass --arg {name}=VALUE.")
    return values


def _hint(name: str, declared: Collection[str]) -> str:
    if not declared:
        return (
            "It has none: its values are those of the configuration, which variables such as "
            "PIPELINE__TRAINING__EPOCHS override."
        )
    near = difflib.get_close_matches(name, declared, n=1)
    return f"Did you mean {near[0]}?" if near else f"It has {', '.join(sorted(declared))}."


def _value(word: str, text: str, parameter_type: str) -> Any:
    if parameter_type == "STRING":
        return text
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"--arg {word}: {text!r} is not YAML: {error}") from error
    if type(value) not in _TYPES[parameter_type]:  # isinstance would take True for a number.
        raise ValueError(f"--arg {word}: expected a {parameter_type}, found {text!r}.")
    return value
