"""Puts a map's data, style and script into one HTML file."""

import base64
import hashlib
import html
import importlib.resources
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from components.projector_directory.metadata import escape
from components.projector_exporter.page.data import map_data
from components.projector_exporter.points import Points
from components.vectors.layouts import Layout

MAP = "map.html"
# The user interface of Kubeflow Pipelines holds the whole file in a page: a tab with 20 MB dies.
MAX_BYTES = 1_000_000
MAX_ROWS = 10_000

_MARKER = re.compile("<!--([a-z]+)-->")
_MORE_FACTS = "<!--facts-->"
# `<` would end the script element, JavaScript took U+2028 and U+2029 for line ends before 2019, and
# UTF-8 has no surrogates.
_UNSAFE = re.compile("[<\u2028\u2029\ud800-\udfff]")


def make_page(
    points: Points,
    layouts: Sequence[Layout],
    regions: Sequence[np.ndarray],
    facts: Mapping[str, str],
    probe_words: Sequence[str] = (),
    text_of: Callable[[bytes], str] = escape,
    total: int | None = None,
) -> bytes:
    """Makes the map of some points.

    It holds at most 10,000 points, and fewer if the file would exceed 1 MB, and says how many it
    shows of how many. `Points.most_important` chooses them.

    Args:
        points: The points, most important one first.
        layouts: One or more layouts of the points; the last one is shown first.
        regions: Which positions of the last layout lie in each region, see `find_regions`.
        facts: What the map says of its origin, such as its dataset: names and texts.
        probe_words: Words that are labelled wherever there is room.
        text_of: Returns how the page writes a label, or a text of a column.
        total: How many there would be to show, if these points are not all.

    Returns:
        An HTML file in UTF-8.
    """
    regions = [layouts[-1].rows[region] for region in regions]
    count = min(len(points.vectors), MAX_ROWS)
    while True:
        rows = points.most_important(count, {word.encode() for word in probe_words})
        data = map_data(
            points.take(rows),
            [_part(layout, rows) for layout in layouts],
            [np.searchsorted(rows, region[np.isin(region, rows)]) for region in regions],
            probe_words,
            text_of,
        )
        page = _assemble(data, {"Shown": _shown(data, total or len(points.vectors)), **facts})
        if len(page) <= MAX_BYTES or count == 2:
            return page
        # A little fewer than fit on average, so that the loop ends soon.
        count = max(2, int(count * min(0.95, 0.97 * MAX_BYTES / len(page))))


def add_facts(page: str, facts: Mapping[str, str]) -> str:
    """Adds facts to a finished map.

    Args:
        page: What `make_page` made.
        facts: Names and texts; a text of several lines is shown as code.

    Returns:
        The map with these facts after its own.
    """
    return page.replace(_MORE_FACTS, _encode_facts(facts) + _MORE_FACTS, 1)


def _part(layout: Layout, rows: np.ndarray) -> Layout:
    """Returns the positions of some rows, which are renumbered from 0."""
    kept = np.isin(layout.rows, rows)
    return Layout(layout.name, layout.positions[kept], np.searchsorted(rows, layout.rows[kept]))


def _shown(data: Mapping[str, Any], total: int) -> str:
    shown, noun = len(data["labels"]), data["noun"]
    if shown == total:
        return f"{total:,} {noun}"
    return f"{shown:,} of {total:,} {noun}; neighbors are those among them"


def _assemble(data: Mapping[str, Any], facts: Mapping[str, str]) -> bytes:
    style, script, template = (_file(f"map.{kind}") for kind in ("css", "js", "html"))
    parts = {
        "policy": f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
        "base-uri 'none'; form-action 'none'",
        "title": f"{facts['Shown']} on a map",
        "style": style,
        "known": _encode_facts(facts) + _MORE_FACTS,
        "data": _encode_json(data),
        "script": script,
    }
    return _MARKER.sub(lambda match: parts[match[1]], template).encode()


def _file(name: str) -> str:
    return importlib.resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    """Returns how a Content-Security-Policy names a script or a style of the page itself."""
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _encode_json(data: Mapping[str, Any]) -> str:
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _encode_facts(facts: Mapping[str, str]) -> str:
    return "".join(
        f"<dt>{html.escape(name)}</dt><dd>"
        + (f"<pre>{html.escape(text)}</pre>" if "\n" in text else html.escape(text))
        + "</dd>"
        for name, text in facts.items()
    )
