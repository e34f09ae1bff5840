import base64
import hashlib
import html.parser
import json
import re
from typing import Any

import numpy as np
import pytest

from components.projector_exporter.page import add_facts, make_page
from components.projector_exporter.page.document import MAX_BYTES
from components.projector_exporter.points import Coloring, Column, Points
from components.projector_exporter.words import word_points
from components.vectors.layouts import Layout
from tests.components.projector_exporter.page.test_data import unpack

RANDOM = np.random.default_rng(4)


class Parser(html.parser.HTMLParser):
    """Collects the elements of a page with their text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(page.decode())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes), ""))

    def handle_endtag(self, tag: str) -> None:
        self.elements.append(("", {}, ""))  # The text that follows belongs to no element.

    def handle_data(self, data: str) -> None:
        if self.elements:
            tag, attributes, text = self.elements[-1]
            self.elements[-1] = (tag, attributes, text + data)

    def texts(self, tag: str) -> list[str]:
        return [text for found, _, text in self.elements if found == tag]


def page_of(tokens: list[bytes], facts: dict[str, str] | None = None, columns: int = 2) -> bytes:
    vectors = RANDOM.normal(size=(len(tokens), columns)).astype(np.float32)
    layout = Layout("PCA", RANDOM.normal(size=(len(tokens), 2)), np.arange(len(tokens)))
    return make_page(word_points(tokens, vectors), [layout], [], facts or {})


def data_of(page: bytes) -> dict[str, Any]:
    (data,) = re.findall(rb'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    found: dict[str, Any] = json.loads(data)
    return found


def test_the_policy_allows_the_pages_own_script_and_style_alone() -> None:
    parser = Parser(page_of([b"a", b"b"]))
    (policy,) = [
        attributes["content"]
        for tag, attributes, _ in parser.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    rules = dict(rule.strip().split(" ", 1) for rule in str(policy).split(";"))
    script, style = (
        base64.b64encode(hashlib.sha256(parser.texts(tag)[-1].encode()).digest()).decode()
        for tag in ("script", "style")
    )
    assert rules == {
        "default-src": "'none'",
        "script-src": f"'sha256-{script}'",
        "style-src": f"'sha256-{style}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_nothing_of_the_page_lies_elsewhere() -> None:
    parser = Parser(page_of([b"a", b"b"]))
    names = {name for _, attributes, _ in parser.elements for name in attributes}
    assert not names & {"src", "href", "style", "onclick", "onload"}
    assert not re.search(rb"url\(|@import|fetch\(|XMLHttp|import\(", page_of([b"a", b"b"]))


@pytest.mark.parametrize(
    "token", ["</script><b>", "<!--", "\u2028", "<!--script-->", "a&lt;b", "\\u003c", "]]>"]
)
def test_labels_are_data(token: str) -> None:
    page = page_of([token.encode(), b"b"], {token: token})
    assert len(Parser(page).texts("script")) == 2
    assert "<b>" not in page.decode().replace("<bdi>", "")
    assert data_of(page)["labels"][1] == "b"
    assert b"\xe2\x80\xa8" not in re.sub(rb"<d[td]>.*?</d[td]>", b"", page)


def test_the_title_says_what_the_map_shows() -> None:
    assert Parser(page_of([b"a", b"b"])).texts("title") == ["2 words on a map"]


def test_facts_are_escaped_and_can_be_added_later() -> None:
    page = page_of([b"a", b"b"], {"Dataset": "<imdb>"}).decode()
    assert "<dt>Shown</dt><dd>2 words</dd><dt>Dataset</dt><dd>&lt;imdb&gt;</dd>" in page
    page = add_facts(page, {"Kept in": "s3://b/x&y"})
    page = add_facts(page, {"To copy it": "a\nb"})
    assert "<dd>&lt;imdb&gt;</dd><dt>Kept in</dt><dd>s3://b/x&amp;y</dd>" in page
    assert "<dt>To copy it</dt><dd><pre>a\nb</pre></dd>" in page


def test_rare_words_are_left_out_and_counted() -> None:
    page = page_of([b"%d" % row for row in range(10_003)])
    data = data_of(page)
    assert data["labels"][-1] == "9999"
    assert "10,000 of 10,003 words; neighbors are those among them" in page.decode()
    assert len(page) < MAX_BYTES


def test_regions_and_positions_stay_those_of_their_words_when_some_are_left_out() -> None:
    tokens = [b"w%d" % row for row in range(12_000)]
    vectors = RANDOM.normal(size=(len(tokens), 2)).astype(np.float32)
    vectors[-1] *= 100  # The word with the highest norm is shown before more frequent ones.
    positions = np.stack([np.arange(len(tokens)), np.zeros(len(tokens))], axis=1)
    layouts = [
        Layout("PCA", -positions, np.arange(len(tokens))),
        Layout("t-SNE", positions[11_000:], np.arange(11_000, len(tokens))),
    ]
    words = word_points(tokens, vectors)
    data = data_of(make_page(words, layouts, [np.array([999])], {}, ["w11000"]))
    assert {"w11000", "w11999"} <= set(data["labels"])
    assert data["labels"][data["probes"][0]] == "w11000"
    for layout in data["layouts"]:
        assert [region["name"] for region in layout["regions"]] == ["w11999"]
    first, second = (layout["regions"][0]["x"] for layout in data["layouts"])
    assert (first, second) == (0, 1)
    tsne = data["layouts"][1]
    numbers = [int(data["labels"][row][1:]) for row in unpack(tsne["rows"])]
    assert numbers[0] == 11_000 and numbers[-1] == 11_999
    places = unpack(tsne["positions"]).reshape(-1, 2)[:, 0] / 65_535
    np.testing.assert_allclose(places, (np.array(numbers) - 11_000) / 999, atol=1e-4)


def test_a_page_is_never_too_large() -> None:
    page = page_of([b"%d " % row + b"x" * 2_000 for row in range(1_000)])
    data = data_of(page)
    assert 0.85 * MAX_BYTES < len(page) <= MAX_BYTES
    rows = len(data["labels"])
    assert f"{rows:,} of 1,000 words" in page.decode()


def test_points_that_are_no_words_are_called_points() -> None:
    columns: dict[str, Column] = {"review": [b"one", b"two"], "stars": np.array([1, 2])}
    points = Points("reviews", np.eye(2, dtype=np.float32), columns, Coloring("stars", np.ones(2)))
    page = make_page(points, [Layout("PCA", np.eye(2), np.arange(2))], [], {})
    assert "<dd>2 points</dd>" in page.decode()
    assert data_of(page)["noun"] == "points"
