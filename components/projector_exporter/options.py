"""Options of an export; importable without TensorFlow."""

from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field, StrictInt
from pydantic.dataclasses import dataclass

from components.projector_exporter.word_pairs import WordPair, read_word_pairs

# As components.projector_directory.verify.MAX_ROWS, which imports TensorFlow.
MAX_ROWS = 100_000


def _read(pairs: Any) -> Any:
    return read_word_pairs(pairs) if isinstance(pairs, str) else pairs


@dataclass(frozen=True, config=pydantic.ConfigDict(extra="forbid", use_attribute_docstrings=True))
class ExportOptions:
    """Chooses what a projection shows."""

    layouts: tuple[Literal["pca", "tsne"], ...] = ("pca", "tsne")
    """Layouts computed at export: a bookmark in TensorBoard for each, and `projection.png` of the
    last one. PCA is always computed with the others. Empty for no bookmark and no picture."""
    layout_rows: Annotated[StrictInt, Field(ge=2)] = 10_000
    """Most rows that t-SNE lays out; it takes 7 s for 10,000. Of more rows it lays out the probe
    words, the extremes of the coloring, which make up a tenth, and the most frequent words."""
    max_rows: Annotated[StrictInt, Field(ge=2, le=MAX_ROWS)] = MAX_ROWS
    """Most rows that TensorBoard gets, the most frequent ones. TensorBoard's page asks for no more
    than the default."""
    probe_words: tuple[Annotated[str, Field(min_length=1)], ...] = ()
    """Words whose nearest neighbors are listed in `neighbors.tsv` and at the end of a run."""
    similarity_pairs: Annotated[tuple[WordPair, ...], pydantic.BeforeValidator(_read)] = ()
    """Pairs of words that people have judged, to measure the embedding by: two words and a number
    each, or the path of a file with them, see `read_word_pairs`. The options hold the pairs and not
    the path, so that an edited file runs the export again."""
    formats: tuple[Literal["arrow", "parquet"], ...] = ()
    """Further files with the whole vocabulary and its vectors."""
