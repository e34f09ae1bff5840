import numpy as np
import pytest
import tensorflow as tf

from components.text.features import FIRST_TOKEN_ID, input_dim
from components.text.tokenizers import split_words
from components.text.vocabulary import MAX_TOKEN_BYTES, read_token_counts, read_vocabulary
from tests.components.text.conftest import Transform


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("A good, GOOD film.", ["a", "good", "good", "film"]),
        ("one<br /><br />two<BR>three", ["one", "two", "three"]),
        ('<a href="x">link</a> <!-- no --> end', ["link", "end"]),
        ("2 < 3 and 4 > 3, I <3 it", ["2", "3", "and", "4", "3", "i", "3", "it"]),
        ("Don't 'quote' ''it'' rock'n'roll dogs'", ["don't", "quote", "it", "rock'n'roll", "dogs"]),
        ("it\u2019s it&#39;s it&apos;s", ["it's"] * 3),
        ("it\uff07s it&rsquo;s it&#039;s it&#x27;s it&#8217;s it&#x2019;s", ["it's"] * 6),
        ("salt&nbsp;&amp;&nbsp;pepper", ["salt", "pepper"]),
        ("a&#160;b&#xa0;c&frac12;d", ["a", "b", "c", "d"]),
        ("well-known 10/10", ["well", "known", "10", "10"]),
        ("'tis the dogs'.", ["tis", "the", "dogs"]),
        ("Ünïcode ЁЛКА straße e\u0301te\u0301", ["ünïcode", "ёлка", "straße", "e\u0301te\u0301"]),
        ("多么 好，看！", ["多", "多么", "么", "好", "看"]),  # noqa: RUF001
        ("iPhone手机5部", ["iphone", "手", "手机", "机", "5", "部"]),
        ("テレビを", ["テ", "テレ", "レ", "レビ", "ビ", "ビを", "を"]),
        ("ラーメン", ["ラ", "ラー", "ー", "ーメ", "メ", "メン", "ン"]),
        ("ที่นี่ ok", ["ที่", "ที่นี่", "นี่", "ok"]),
        ("ລາວ", ["ລ", "ລາ", "າ", "າວ", "ວ"]),
        ("ភាសា", ["ភា", "ភាសា", "សា"]),
        ("မာဘာ", ["မာ", "မာဘာ", "ဘာ"]),
        ("한국 영화가", ["한국", "영화가"]),
        ("هذا فيلم رائعٌ جدًّا", ["هذا", "فيلم", "رائعٌ", "جدًّا"]),
        ("यह फ़िल्म अच्छी है।", ["यह", "फ़िल्म", "अच्छी", "है"]),
        ("Donaudampfschiff: groß", ["donaudampfschiff", "groß"]),
        ("I ❤️ it 👍🏽", ["i", "it"]),
        ("a\x01 \x02b", ["a", "b"]),
        (" \t\n...!?'' ", []),
        ("", []),
        (b"bad \xff\xfe bytes", ["bad", "bytes"]),
    ],
)
def test_words(raw: str | bytes, words: list[str]) -> None:
    (row,) = split_words(tf.constant([raw])).to_list()

    assert [word.decode() for word in row] == words


def test_subwords_split_unseen_words(transform: Transform) -> None:
    stems, endings = ("walk", "talk", "jump", "look", "cook"), ("ed", "ing", "er", "s")
    words = [stem + ending for stem in stems for ending in endings if stem + ending != "cooking"]
    too_long = "x" * (MAX_TOKEN_BYTES + 1)  # No subwords are learned from it.
    texts = [f"{word} and {too_long}" for word in words] * 5

    transformed = transform(texts, tokenizer="subwords", top_k=50)

    assert transformed.serve(texts) == transformed.ids
    vocabulary = read_vocabulary(transformed.output)
    assert len(vocabulary) <= 50
    counts = read_token_counts(transformed.output)
    assert counts is not None
    assert {ids[-1] for ids in transformed.ids} == {len(vocabulary) + 1}
    every_id = np.concatenate(transformed.ids).astype(np.int64)
    occurrences = np.bincount(every_id, minlength=input_dim(len(vocabulary)))
    np.testing.assert_array_equal(counts, occurrences[FIRST_TOKEN_ID:-1])
    (row,) = transformed.serve(["Cooking"])
    pieces = [vocabulary[i - FIRST_TOKEN_ID] for i in row]
    assert pieces == ["c", "##o", "##o", "##k", "##ing"]
    assert transformed.serve(["and 漢"]) == [[1, len(vocabulary) + 1]]


def test_subwords_of_no_words_are_refused(transform: Transform) -> None:
    with pytest.raises(Exception, match="no word to learn subwords from"):
        transform(["", "..."], tokenizer="subwords")
