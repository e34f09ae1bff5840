from typing import Any

import pytest

from pipeline_def.kubeflow.arguments import parse

PARAMETERS = {
    "epochs": {"parameterType": "NUMBER_INTEGER"},
    "rate": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.1},
    "name": {"parameterType": "STRING", "isOptional": True},
    "shuffle": {"parameterType": "BOOLEAN", "isOptional": True},
    "words": {"parameterType": "LIST", "isOptional": True},
    "labels": {"parameterType": "STRUCT", "isOptional": True},
}
PIPELINE: dict[str, Any] = {"root": {"inputDefinitions": {"parameters": PARAMETERS}}}


def test_values_have_the_declared_type() -> None:
    words = ["epochs=3", "rate=1", "name=3", "shuffle=true", "words=[a, b]", "labels={a: 1=2}"]
    assert parse(words, PIPELINE) == {
        "epochs": 3,
        "rate": 1,
        "name": "3",
        "shuffle": True,
        "words": ["a", "b"],
        "labels": {"a": "1=2"},
    }


def test_a_text_may_hold_an_equals_sign_or_nothing() -> None:
    assert parse(["epochs=3", "name=a=b"], PIPELINE)["name"] == "a=b"
    assert parse(["epochs=3", "name="], PIPELINE)["name"] == ""


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        (["epochs"], "--arg epochs: expected NAME=VALUE"),
        (["epoch=3"], "no parameter 'epoch'. Did you mean epochs?"),
        (["x=3"], "no parameter 'x'. It has epochs, labels, name, rate, shuffle, words."),
        (["epochs=3.5"], "--arg epochs=3.5: expected a NUMBER_INTEGER, found '3.5'"),
        (["epochs=true"], "expected a NUMBER_INTEGER"),
        (["epochs=3", "shuffle=1"], "expected a BOOLEAN"),
        (["epochs=3", "words=[a"], "is not YAML"),
        ([], "The parameter epochs has no default: pass --arg epochs=VALUE."),
    ],
)
def test_what_cannot_be_meant(words: list[str], fault: str) -> None:
    with pytest.raises(ValueError) as raised:
        parse(words, PIPELINE)
    assert fault in str(raised.value)


def test_a_pipeline_without_parameters() -> None:
    assert parse([], {"root": {}}) == {}
    with pytest.raises(ValueError, match=r"It has none.*PIPELINE__TRAINING__EPOCHS"):
        parse(["epochs=3"], {"root": {}})
