"""Tries every gesture of the map in Chromium, as a file and in an iframe like Kubeflow's."""

import dataclasses
import http.server
import pathlib
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser

from components.projector_directory.metadata import unescape
from components.projector_exporter.export import export_points
from components.projector_exporter.options import ExportOptions
from components.projector_exporter.page import make_page
from components.projector_exporter.words import word_points
from components.vectors.layouts import Layout
from components.vectors.neighbors import nearest_neighbors
from tests.browser.map_page import MapPage
from tests.browser.projector_page import MARKS
from tests.components.projector_exporter.exporting import read_table

pytestmark = MARKS

ROWS = 60
RANDOM = np.random.default_rng(5)
NAMES = [f"word{row}" for row in range(ROWS)]
MATRIX = RANDOM.normal(size=(ROWS, 6)).astype(np.float32)
ODDS = np.linspace(0.03, 0.98, ROWS).astype(np.float32)
WORDS = word_points(
    [name.encode() for name in NAMES],
    MATRIX,
    counts=np.arange(ROWS, 0, -1) ** 3,
    probabilities=np.stack([1 - ODDS, ODDS], axis=1),
    class_names=["neg", "pos"],
)
WORDS = dataclasses.replace(
    WORDS, columns={**WORDS.columns, "last letter": [name[-1:].encode() for name in NAMES]}
)
# Points on a grid do not overlap, so the pointer finds each one.
GRID = np.stack(np.divmod(np.arange(ROWS), 10), axis=1).astype(float)
LAYOUTS = [
    Layout("PCA", RANDOM.permutation(GRID)[:, ::-1], np.arange(ROWS)),
    Layout("t-SNE", RANDOM.permutation(GRID)[: ROWS - 10], np.arange(ROWS - 10)),
]
REGIONS = [np.arange(20), np.arange(30, 50)]
FACTS = {"Dataset": "<imdb>:1.0.0", "Model": "/models/5"}
PAGE = make_page(WORDS, LAYOUTS, REGIONS, FACTS, ["word7"])


# What browsers treat differently in a sandboxed iframe: the pointer, keys, the focus and scripts.
as_file_and_in_frame = pytest.mark.parametrize("opened", ["file", "frame"], indirect=True)


@pytest.fixture
def opened(
    request: pytest.FixtureRequest, browser: Browser, tmp_path: pathlib.Path
) -> Iterator[MapPage]:
    with MapPage(browser) as opened:
        opened.open(PAGE, getattr(request, "param", "file"), tmp_path)
        yield opened
        assert opened.wrong == []


@pytest.fixture
def touched(browser: Browser, tmp_path: pathlib.Path) -> Iterator[MapPage]:
    with MapPage(browser, viewport={"width": 500, "height": 800}, has_touch=True) as opened:
        opened.open(PAGE, "file", tmp_path)
        yield opened
        assert opened.wrong == []


def nearest(row: int) -> list[int]:
    units = MATRIX / np.linalg.norm(MATRIX, axis=1, keepdims=True)
    return [other for other in np.argsort(-units @ units[row]) if other != row][:10]


def distance(a: tuple[float, float], b: tuple[float, float]) -> float:
    return float(np.hypot(a[0] - b[0], a[1] - b[1]))


@as_file_and_in_frame
def test_a_search_lists_matches_as_one_types(opened: MapPage) -> None:
    opened.frame.locator("#query").press_sequentially("WORD5")
    assert opened.text("#count") == "11 matches"
    assert opened.texts("#matches li") == ["word5", *(f"word5{digit}" for digit in range(10))]

    opened.frame.locator("#query").press_sequentially("7")
    assert opened.text("#count") == "1 match"
    assert opened.texts("#matches li") == ["word57"]

    opened.frame.locator("#query").press_sequentially("x")
    assert opened.text("#count") == "0 matches"
    assert not opened.frame.locator("#matches").is_visible()


def test_matches_stand_out(opened: MapPage) -> None:
    places = opened.places()
    before = [opened.color(*places[name]) for name in ("word3", "word21")]
    opened.frame.locator("#query").fill("word21")
    opened.settle()
    assert opened.color(*places["word21"]) == before[1]
    assert opened.color(*places["word3"]) != before[0]


@as_file_and_in_frame
def test_arrows_and_enter_choose_a_match(opened: MapPage) -> None:
    box = opened.frame.locator("#query")
    box.fill("word5")
    for _ in range(3):
        box.press("ArrowDown")
    box.press("ArrowUp")
    assert opened.texts("[aria-selected=true]") == ["word50"]
    box.press("Enter")
    assert opened.text("#label") == "word50"
    assert not opened.frame.locator("#matches").is_visible()

    box.press("Escape")
    assert not opened.frame.locator("#point").is_visible()
    box.press("Escape")
    assert box.input_value() == ""


def test_all_points_of_the_layout_are_there_to_hover(opened: MapPage) -> None:
    places = opened.places()
    assert set(places) == set(NAMES[: ROWS - 10])
    # The positions of the layout: x to the right, y upwards, with one scale for both.
    positions = LAYOUTS[1].positions
    found = np.array([places[name] for name in NAMES[: ROWS - 10]])
    scale = np.ptp(found[:, 0]) / np.ptp(positions[:, 0])
    moved = np.stack([positions[:, 0], -positions[:, 1]], axis=1) * scale
    np.testing.assert_allclose(found - found[0], moved - moved[0], atol=4)


def test_each_label_is_written_beside_its_own_point(opened: MapPage) -> None:
    written, places = opened.written(), opened.places()
    words = written.keys() & places.keys()
    assert len(words) > 20
    assert [word for word in words if distance(written[word], places[word]) > 40] == []


def test_the_names_of_regions_and_the_probe_words_are_in_bold(opened: MapPage) -> None:
    assert opened.bold() == {"word0, word1, word2", "word30, word31, word32", "word7"}


@as_file_and_in_frame
def test_hovering_shows_the_word_and_its_columns(opened: MapPage) -> None:
    x, y = opened.places()["word21"]
    opened.page.mouse.move(x, y)
    assert opened.text("#tip b") == "word21"
    assert opened.texts("#tip dt") == list(WORDS.columns)[1:]
    said = dict(zip(opened.texts("#tip dt"), opened.texts("#tip dd"), strict=True))
    assert said["id"] == said["rank"] == "22"
    assert said["count"] == str(39**3)
    assert float(said["P(pos)"]) == pytest.approx(ODDS[21], rel=1e-5)

    opened.page.mouse.move(2, 400)
    assert not opened.frame.locator("#tip").is_visible()


@as_file_and_in_frame
def test_a_click_lists_the_ten_true_neighbors_and_draws_lines_to_them(opened: MapPage) -> None:
    places = opened.places()
    row = 21
    shown = [other for other in nearest(row) if other < ROWS - 10]
    assert len(shown) == 9
    before = opened.pixels()
    opened.click(*places[f"word{row}"])
    opened.settle()

    assert opened.text("#label") == f"word{row}"
    assert opened.texts("#neighbors bdi") == [f"word{other}" for other in nearest(row)]
    changed = (opened.pixels() != before).any(axis=2)
    for other in shown:
        line = np.linspace(places[f"word{row}"], places[f"word{other}"], 100).round().astype(int)
        # `places` may be two pixels off, and the lines are thin.
        near = [changed[y - 2 : y + 3, x - 2 : x + 3].any() for x, y in line]
        assert np.mean(near) > 0.95, other
    assert opened.places()[f"word{row}"] == pytest.approx(places[f"word{row}"], abs=4)

    opened.click(2, 400)
    assert not opened.frame.locator("#point").is_visible()


def test_a_click_dims_all_but_the_neighbors(opened: MapPage) -> None:
    places = opened.places()
    near = {f"word{other}" for other in [21, *nearest(21)]}

    def darkness() -> np.ndarray:
        colors = opened.pixels().astype(int)
        others = [colors[round(y), round(x)] for name, (x, y) in places.items() if name not in near]
        return 3 * 255 - np.sum(others, axis=1)

    before = darkness()
    opened.click(*places["word21"])
    opened.settle()
    assert np.median(darkness() / before) < 0.5


def test_the_bars_of_the_neighbors_are_as_long_as_their_cosines(opened: MapPage) -> None:
    opened.frame.locator("#query").fill("word21")
    opened.frame.locator("#query").press("Enter")
    cosines = np.array(opened.texts("#neighbors span")).astype(float)
    assert len(cosines) == 10
    lengths = np.array([len(colors) for colors in opened.across("#neighbors i")])
    np.testing.assert_allclose(lengths / lengths[0], cosines / cosines[0], atol=0.03)


def test_a_click_on_a_neighbor_goes_on_to_it(opened: MapPage) -> None:
    opened.frame.locator("#query").fill("word21")
    opened.frame.locator("#query").press("Enter")
    opened.frame.locator("#neighbors button").nth(3).click()
    assert opened.text("#label") == f"word{nearest(21)[3]}"


def test_a_word_without_a_place_says_so(opened: MapPage) -> None:
    (said,) = opened.read([(55, "word55")])
    assert said["neighbors"] == nearest(55)
    assert said["remark"] == "t-SNE does not place it."
    opened.frame.get_by_label("PCA").check(force=True)
    assert opened.text("#remark") == ""


def test_a_switch_moves_the_points_to_the_other_layout(
    browser: Browser, tmp_path: pathlib.Path
) -> None:
    with MapPage(browser, reduced_motion="no-preference") as opened:
        opened.open(PAGE, "file", tmp_path)
        opened.settle()
        before = opened.places()
        opened.page.clock.install()
        opened.frame.get_by_label("PCA").check(force=True)
        opened.page.clock.run_for(500)
        between = opened.places()
        opened.page.clock.run_for(1000)
        after = opened.places()
        assert set(after) == set(NAMES)
        moved = [name for name in before if distance(before[name], after[name]) > 200]
        assert len(moved) > 10
        seen = [name for name in moved if name in between]
        assert len(seen) > len(moved) / 2
        on_the_way = [
            min(distance(before[name], between[name]), distance(between[name], after[name])) > 20
            for name in seen
        ]
        assert np.mean(on_the_way) > 0.8
        assert opened.wrong == []


@as_file_and_in_frame
def test_layouts_are_switched_by_the_keyboard(opened: MapPage) -> None:
    opened.frame.get_by_label("t-SNE").focus()
    opened.page.keyboard.press("ArrowLeft")
    opened.settle()
    assert set(opened.places()) == set(NAMES)


@as_file_and_in_frame
def test_the_wheel_zooms_where_it_is_and_dragging_moves(opened: MapPage) -> None:
    places = opened.places()
    still, other = places["word21"], places["word33"]
    opened.page.mouse.move(*still)
    opened.page.mouse.wheel(0, -300)
    opened.settle()
    zoomed = opened.places()
    assert zoomed["word21"] == pytest.approx(still, abs=6)
    assert distance(still, other) * 1.3 < distance(still, zoomed.get("word33", (9999, 9999)))

    opened.page.mouse.move(640, 400)
    opened.page.mouse.down()
    opened.page.mouse.move(700, 430, steps=5)
    opened.page.mouse.up()
    opened.settle()
    expected = (zoomed["word21"][0] + 60, zoomed["word21"][1] + 30)
    assert opened.places()["word21"] == pytest.approx(expected, abs=6)
    assert not opened.frame.locator("#point").is_visible()  # Dragging does not select.


@as_file_and_in_frame
def test_keys_move_zoom_and_show_all(opened: MapPage) -> None:
    opened.settle()
    before = opened.places()
    opened.frame.locator("#map").focus()

    def after(*keys: str) -> dict[str, tuple[float, float]]:
        for key in keys:
            opened.page.keyboard.press(key)
        opened.settle()
        return opened.places()

    x, y = before["word21"]
    assert after("ArrowLeft")["word21"] == pytest.approx((x + 80, y), abs=6)
    assert after("ArrowRight", "ArrowUp")["word21"] == pytest.approx((x, y + 80), abs=6)
    assert after("ArrowDown")["word21"] == pytest.approx((x, y), abs=6)
    assert len(after("+", "+")) < len(before)
    assert len(after("-", "-", "-")) == len(before)
    assert after("0") == before
    opened.page.keyboard.press("/")
    opened.page.keyboard.type("word7")
    assert opened.texts("#matches li") == ["word7"]


def test_keys_that_come_faster_than_they_are_drawn_all_count(opened: MapPage) -> None:
    before = opened.places()

    def after(*keys: str) -> dict[str, tuple[float, float]]:
        press = "key => canvas.dispatchEvent(new KeyboardEvent('keydown', { key }))"
        opened.frame.locator("#map").evaluate(f"(canvas, keys) => keys.forEach({press})", keys)
        opened.settle()
        return opened.places()

    x, y = before["word21"]
    moved = after("ArrowLeft", "ArrowLeft", "ArrowUp")
    assert moved["word21"] == pytest.approx((x + 160, y + 80), abs=6)
    assert after("ArrowDown", "ArrowRight", "ArrowRight")["word21"] == pytest.approx((x, y), abs=6)
    closer = after("+", "+")
    first, *_, last = closer
    wider = distance(closer[first], closer[last]) / distance(before[first], before[last])
    assert wider == pytest.approx(1.5**2, rel=0.05)


def test_the_wheel_ends_a_glide_and_the_next_key_goes_on_from_there(opened: MapPage) -> None:
    x, y = opened.places()["word21"]
    opened.frame.locator("#map").evaluate("""(canvas) => [
        new KeyboardEvent("keydown", { key: "ArrowLeft" }),
        new WheelEvent("wheel", { deltaY: 0, cancelable: true }),
        new KeyboardEvent("keydown", { key: "ArrowRight" }),
    ].forEach((event) => canvas.dispatchEvent(event))""")
    opened.settle()
    assert opened.places()["word21"] == pytest.approx((x - 80, y), abs=6)


def test_buttons_zoom(opened: MapPage) -> None:
    before = opened.places()
    for _ in range(3):
        opened.frame.get_by_label("Zoom in").click()
        opened.settle()
    assert len(opened.places()) < len(before)
    opened.frame.get_by_label("Show all").click()
    opened.settle()
    assert opened.places() == before


def test_two_fingers_zoom_and_one_selects(touched: MapPage) -> None:
    before = touched.places()
    touch = touched.page.context.new_cdp_session(touched.page)

    def send(kind: str, *fingers: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(fingers)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    send("touchStart", (230, 400), (270, 400))
    for step in range(1, 11):
        send("touchMove", (230 - 6 * step, 400), (270 + 6 * step, 400))
    send("touchEnd")
    touched.settle()
    zoomed = touched.places()
    assert len(zoomed) < len(before)
    word, (x, y) = min(zoomed.items(), key=lambda item: distance(item[1], (250, 300)))
    touched.page.touchscreen.tap(x, y)
    assert touched.text("#label") == word


@as_file_and_in_frame
def test_any_column_colors_the_points(opened: MapPage) -> None:
    names = opened.texts("#color option")
    assert names == ["log odds of pos", *list(WORDS.columns)[1:]]
    places = opened.places()
    low, high = (opened.color(*places[name]) for name in ("word0", "word49"))
    assert low[0] > low[2] and high[2] > high[0]  # Orange and blue.
    legends = set()
    for name in names:
        opened.frame.locator("#color").select_option(label=name)
        legends.add(opened.text("#legend"))
        assert opened.text("#legend b") == name
    assert len(legends) == len(names)
    opened.frame.locator("#color").select_option(label="class")
    opened.settle()
    colors = {name: opened.color(*places[name]) for name in ("word0", "word10", "word49")}
    assert colors["word0"] == colors["word10"] != colors["word49"]
    assert opened.texts("#legend li") == ["neg\n30", "pos\n30"]


def test_of_points_at_one_spot_the_extreme_is_seen(
    browser: Browser, tmp_path: pathlib.Path
) -> None:
    # Labels that cannot be seen: a point with a label would lie above all others.
    words = word_points([b" ", b"  "], np.array([[1, 0], [3, 0]], np.float32))
    layouts = [Layout("PCA", np.zeros((2, 2)), np.arange(2))]
    with MapPage(browser) as opened:
        opened.open(make_page(words, layouts, [], {}, text_of=bytes.decode), "file", tmp_path)
        (spot,) = opened.places().values()
        opened.settle()
        assert sum(opened.color(*spot)) < 400  # High is dark.
        assert opened.wrong == []


def test_the_legend_of_numbers_has_their_ends_and_the_colors_of_these(opened: MapPage) -> None:
    numbers, colors = [], []
    for name in ("log odds of pos", "count"):
        opened.frame.locator("#color").select_option(label=name)
        numbers.append([float(end) for end in opened.texts("#legend .ends span")])
        colors.append(opened.across("#legend .ramp")[0][[2, -3]].astype(int))
    (lowest, highest), ends = numbers
    assert lowest == -highest < 0
    assert ends == [1, ROWS**3]
    (left, right), (light, dark) = colors
    assert left[0] > left[2] and right[2] > right[0]  # Orange and blue.
    assert light.sum() > dark.sum() + 200


def test_numbers_that_spread_over_decades_differ_in_color_on_each(opened: MapPage) -> None:
    places = opened.places()
    opened.frame.locator("#color").select_option(label="count")
    opened.settle()
    first, middle, last = (sum(opened.color(*places[f"word{row}"])) for row in (0, 30, 49))
    assert first + 50 < middle < last - 50


def test_the_legend_of_texts_has_the_colors_of_their_points(opened: MapPage) -> None:
    places = opened.places()
    opened.frame.locator("#color").select_option(label="class")
    opened.settle()
    swatches = [tuple(colors[len(colors) // 2].tolist()) for colors in opened.across("#legend i")]
    assert swatches == [opened.color(*places[name]) for name in ("word0", "word49")]


def test_texts_that_are_steps_go_from_one_end_of_the_ramp_to_the_other(opened: MapPage) -> None:
    opened.frame.locator("#color").select_option(label="strength")
    assert len(opened.texts("#legend li")) == 7
    first, *_, last = (colors[len(colors) // 2] for colors in opened.across("#legend i"))
    assert first[0] > first[2] and last[2] > last[0]  # Orange and blue.


def test_the_legend_counts_the_texts_that_have_no_color_of_their_own(opened: MapPage) -> None:
    opened.frame.locator("#color").select_option(label="last letter")
    *own, others = opened.texts("#legend li")
    assert own == [f"{letter}\n6" for letter in range(8)]
    assert others == "2 others"


def hostile(count: int) -> list[bytes]:
    """Returns words of markup, JavaScript property names, invisible and invalid characters."""
    parts = [
        *("</script>", "<script>throw 1</script>", "<!--", "-->", "]]>", "&lt;", "&amp;", "<b>"),
        *("\u2028", "\u2029", "\u202e", "\u2066", "\u200f", "\ufeff", "\x00", "\x1b[31m", "\n"),
        *("__proto__", "constructor", "toString", "${1}", "`", "\\u003c", "\\", "'", '"', " "),
        *("007", "1e3", "NaN", "فيلم", "סרט", "映画", "🇩🇪", "e\u0301", "👩\u200d👧", "İ", "ß"),
    ]
    pieces = [part.encode() for part in parts] + [b"\xff", b"\xed\xa0\x80", b"caf\xe9", b"a", b"z"]
    made = list(pieces)
    while len(made) < count:
        chosen = RANDOM.choice(len(pieces), RANDOM.integers(2, 6))
        made.append(b"".join(pieces[i] for i in chosen))
    return list(dict.fromkeys(made))


def test_hostile_words_are_shown_as_the_artifact_has_them(
    browser: Browser, tmp_path: pathlib.Path
) -> None:
    tokens = [*hostile(400), b"", b"x" * 20_000, b"__next__"]
    matrix = RANDOM.normal(size=(len(tokens), 5)).astype(np.float32)
    matrix[7] = 0
    odds = RANDOM.uniform(size=len(tokens)).astype(np.float32)
    words = word_points(
        tokens,
        matrix,
        counts=RANDOM.integers(1, 10**6, len(tokens)),
        probabilities=np.stack([1 - odds, odds], axis=1),
        class_names=["<b>neg</b>", "\u202epos"],
    )
    export_points(str(tmp_path / "1"), [words], ExportOptions(layouts=("pca",)))
    table = read_table(tmp_path / "1" / "metadata.tsv")
    names = list(table)
    neighbors, cosines = nearest_neighbors(matrix, 10)
    content = (tmp_path / "1" / "map.html").read_bytes()

    for place in ("file", "frame"):
        with MapPage(browser) as opened:
            opened.open(content, place, tmp_path)
            labels = [label.removeprefix(r"\&") or label for label in table["token"]]
            for row, said in enumerate(opened.read(list(enumerate(labels)))):
                assert said, labels[row][:50]
                # The label is the word or an escaped form from which it can be restored.
                assert said["label"] == labels[row]
                assert unescape(said["label"]) == tokens[row]
                assert said["names"] == names[1:]
                assert said["values"] == [
                    table[name][row].strip().removeprefix(r"\&") for name in names[1:]
                ]
                if row == 7:
                    assert said["neighbors"] == []
                    assert "zero" in said["remark"]
                else:
                    assert said["neighbors"] == neighbors[row].tolist()
                    np.testing.assert_allclose(said["cosines"], cosines[row], atol=0.0051)
            opened.settle()
            assert opened.wrong == []


def test_what_there_is_to_know_can_be_read(opened: MapPage) -> None:
    opened.frame.locator("#about summary").click()
    assert opened.texts("#about dt") == ["Shown", "Dataset", "Model"]
    assert opened.texts("#about dd") == ["60 words", "<imdb>:1.0.0", "/models/5"]


def test_over_plain_http_the_page_alone_is_asked_for(
    browser: Browser, tmp_path: pathlib.Path
) -> None:
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(PAGE)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        with MapPage(browser) as opened:
            opened.open(PAGE, f"http://127.0.0.1:{server.server_port}/map.html", tmp_path)
            opened.frame.locator("#query").fill("word21")
            opened.settle()
            assert opened.wrong == []
        server.shutdown()
    assert asked == ["/map.html"]


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_the_map_is_dark_where_the_system_is(
    scheme: str, is_dark: bool, browser: Browser, tmp_path: pathlib.Path
) -> None:
    with MapPage(browser, color_scheme=scheme) as opened:
        opened.open(PAGE, "file", tmp_path)
        assert (sum(opened.color(640, 5)) < 200) == is_dark
        opened.page.emulate_media(color_scheme="light" if is_dark else "dark")
        opened.settle()
        assert (sum(opened.color(640, 5)) < 200) != is_dark


def test_nothing_covers_anything_on_a_phone(touched: MapPage) -> None:
    wide = touched.frame.evaluate("document.documentElement.scrollWidth")
    boxes = [
        touched.frame.locator(selector).bounding_box()
        for selector in ("#find", "#controls", "#legend", "#about", "#zoom")
    ]
    assert wide == 500
    for number, a in enumerate(boxes):
        assert a and a["x"] >= 0 and a["x"] + a["width"] <= 500
        for b in boxes[:number]:
            assert b and (
                a["x"] + a["width"] <= b["x"]
                or b["x"] + b["width"] <= a["x"]
                or a["y"] + a["height"] <= b["y"]
                or b["y"] + b["height"] <= a["y"]
            )
