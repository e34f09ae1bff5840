import pytest

from components.text.options import VocabularyOptions


@pytest.mark.parametrize(
    ("custom_config", "message"),
    [
        ({"tokeniser": "words"}, r"unknown keys \['tokeniser'\].*'tokenizer'"),
        ({"tokenizer": "letters"}, "tokenizer\n.*'words' or 'subwords'.*'letters'"),
        ({"top_k": 0}, "top_k\n.*greater than or equal to 1"),
        ({"top_k": "2000"}, "top_k\n.*valid integer"),
        ({"skip_top": -1}, "skip_top\n.*greater than or equal to 0"),
        ({"skip_top": True}, "skip_top\n.*valid integer"),
        ({"frequency_threshold": 0}, "frequency_threshold\n.*greater than or equal to 1"),
        ({"frequency_threshold": 1.5}, "frequency_threshold\n.*valid integer"),
    ],
)
def test_a_custom_config_that_cannot_be_used_is_refused(custom_config, message):
    with pytest.raises(ValueError, match=message):
        VocabularyOptions.from_custom_config(custom_config)


def test_a_custom_config_gives_the_fields_and_may_hold_a_digest_of_the_code():
    custom_config = {"tokenizer": "subwords", "top_k": 1, "skip_top": 0, "code_digest": "12ab"}

    assert VocabularyOptions.from_custom_config(custom_config) == VocabularyOptions(
        tokenizer="subwords", top_k=1, skip_top=0, frequency_threshold=1
    )
    assert VocabularyOptions.from_custom_config({}) == VocabularyOptions()
