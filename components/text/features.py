"""Names of features and vocabularies, and the meaning of token ids.

=========  =======================================================================
token id   meaning
=========  =======================================================================
0          padding, never written by Transform
1 .. V     line 1 .. V of the vocabulary file: the tokens by falling frequency,
           equally frequent ones in reverse order of their bytes
V + 1      any token that is not in the vocabulary
=========  =======================================================================
"""

# Features of the examples: before Transform TEXT and LABEL, unless its custom_config names others;
# after it TOKEN_IDS and LABEL.
TEXT = "text"
LABEL = "label"
TOKEN_IDS = "token_ids"

# Assets of the transform graph, one token a line.
VOCABULARY = "vocabulary"
TOKEN_COUNTS = "token_counts"
SKIPPED_TOKENS = "skipped_tokens"

PADDING_ID = 0
FIRST_TOKEN_ID = 1


def input_dim(vocabulary_size: int) -> int:
    """Returns the number of token ids, which is the `input_dim` of the embedding layer.

    Args:
        vocabulary_size: Number of tokens in the vocabulary.

    Returns:
        That number, plus one for padding and one for out-of-vocabulary tokens.
    """
    return FIRST_TOKEN_ID + vocabulary_size + 1
