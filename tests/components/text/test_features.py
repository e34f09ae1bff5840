import numpy as np

from components.text.features import FIRST_TOKEN_ID, PADDING_ID, input_dim
from components.text.vocabulary import read_vocabulary
from tests.components.text.conftest import Transform


def test_ids_are_padding_then_the_vocabulary_then_one_for_unknown_words(
    transform: Transform,
) -> None:
    transformed = transform(["a a a b b c"], top_k=2)
    (unknown,) = transformed.serve(["never"])[0]

    assert read_vocabulary(transformed.output) == ["a", "b"]
    assert transformed.ids == [[1, 1, 1, 2, 2, unknown]]
    assert sorted({PADDING_ID, *np.concatenate(transformed.ids)}) == list(range(input_dim(2)))
    assert FIRST_TOKEN_ID == 1
