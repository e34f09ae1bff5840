import dataclasses

import pytest

from components.text.options import PreprocessingOptions, VocabularyOptions


@pytest.mark.parametrize(
    ("custom_config", "message"),
    [
        ({"tokeniser": "words", "k": 1}, r"unknown keys \['tokeniser', 'k'\].*'tokenizer'"),
        ({"tokenizer": "letters"}, "tokenizer\n.*'words' or 'subwords'.*'letters'"),
        ({"top_k": 0}, "top_k\n.*greater than or equal to 1"),
        ({"top_k": "2000"}, "top_k\n.*valid integer"),
        ({"skip_top": -1}, "skip_top\n.*greater than or equal to 0"),
        ({"skip_top": True}, "skip_top\n.*valid integer"),
        ({"frequency_threshold": 0}, "frequency_threshold\n.*greater than or equal to 1"),
        ({"frequency_threshold": 1.5}, "frequency_threshold\n.*valid integer"),
        ({"text_feature": ""}, "text_feature\n.*at least 1 character"),
        ({"label_feature": 1}, "label_feature\n.*valid string"),
    ],
)
def test_a_custom_config_that_cannot_be_used_is_refused(
    custom_config: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        PreprocessingOptions.from_custom_config(custom_config)


def test_a_custom_config_gives_the_fields_and_may_hold_a_digest_of_the_code() -> None:
    custom_config = {"tokenizer": "subwords", "top_k": 1, "skip_top": 0, "text_feature": "review"}

    options = PreprocessingOptions.from_custom_config({**custom_config, "code_digest": "12ab"})

    assert options == PreprocessingOptions(
        tokenizer="subwords",
        top_k=1,
        skip_top=0,
        frequency_threshold=1,
        text_feature="review",
        label_feature="label",
    )


def test_the_defaults() -> None:
    assert dataclasses.asdict(PreprocessingOptions.from_custom_config({})) == {
        "tokenizer": "words",
        "top_k": 10_000,
        "skip_top": 0,
        "frequency_threshold": 1,
        "text_feature": "text",
        "label_feature": "label",
    }
    with pytest.raises(dataclasses.FrozenInstanceError):
        PreprocessingOptions().top_k = 2  # type: ignore[misc]


def test_a_configuration_embeds_the_options_of_the_vocabulary_alone() -> None:
    with pytest.raises(ValueError, match="text_feature"):
        VocabularyOptions(text_feature="review")  # type: ignore[call-arg]


def test_a_misspelled_option_is_refused() -> None:
    with pytest.raises(ValueError, match="tokeniser"):
        PreprocessingOptions(tokeniser="words")  # type: ignore[call-arg]
