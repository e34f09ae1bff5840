"""Opens an exported map (map.html) in Chromium: as a file, in an iframe or from a URL."""

import html
import io
import pathlib
from typing import Any

import numpy as np
import PIL.Image
from playwright.sync_api import Browser, Frame

# Moves the pointer over the whole canvas and returns, for each word, the mean of the positions at
# which the tooltip named it.
_SWEEP = """() => {
  const [canvas, tip] = ["map", "tip"].map((id) => document.getElementById(id));
  const found = new Map();
  function wordAt(x, y) {
    canvas.dispatchEvent(new PointerEvent("pointermove", { clientX: x, clientY: y }));
    return tip.hidden ? null : tip.querySelector("b").textContent;
  }
  for (let y = 4; y < innerHeight; y += 8) {
    for (let x = 4; x < innerWidth; x += 8) {
      if (wordAt(x, y) === null) continue;
      for (const [dx, dy] of [[-2, -2], [-2, 2], [2, -2], [2, 2]]) {
        const word = wordAt(x + dx, y + dy);
        if (word === null) continue;
        const [sumX, sumY, times] = found.get(word) || [0, 0, 0];
        found.set(word, [sumX + x + dx, sumY + y + dy, times + 1]);
      }
    }
  }
  canvas.dispatchEvent(new PointerEvent("pointerleave"));
  return [...found].map(([word, [x, y, times]]) => [word, x / times, y / times]);
}"""
# For each row: searches for its label, clicks it in the list of matches and returns what the panel
# shows.
_READ = """(rows) => rows.map(([row, label]) => {
  const query = document.getElementById("query");
  query.value = label;
  query.dispatchEvent(new Event("input"));
  const item = document.querySelector(`#matches [data-row="${row}"]`);
  if (!item) return null;
  item.click();
  const all = (selector) => [...document.querySelectorAll(selector)];
  return {
    label: document.getElementById("label").textContent,
    names: all("#values dt").map((name) => name.textContent),
    values: all("#values dd").map((value) => value.textContent),
    neighbors: all("#neighbors button").map((button) => Number(button.dataset.row)),
    cosines: all("#neighbors span").map((cosine) => Number(cosine.textContent)),
    remark: document.getElementById("remark").textContent,
  };
})"""

# Keeps the labels that the map wrote since it last cleared its canvas.
_KEEP_LABELS = """(() => {
  const { fillRect, fillText } = CanvasRenderingContext2D.prototype;
  window.written = [];
  Object.assign(CanvasRenderingContext2D.prototype, {
    fillRect(...box) {
      window.written = [];
      fillRect.apply(this, box);
    },
    fillText(label, x, y) {
      const middle = x + this.measureText(label).width / 2;
      window.written.push([label, middle, y, this.font.startsWith("600 ")]);
      fillText.call(this, label, x, y);
    },
  });
})()"""

# Not Frame.wait_for_function: it polls by `eval`, which the page's security policy forbids.
_DRAWN = """() => new Promise((done) => new PerformanceObserver((marks) => {
  if (marks.getEntriesByName("drawn").length) done();
}).observe({ type: "mark", buffered: true }))"""

# The map places its labels anew only after a pause in the movement; 250 ms covers that pause.
_SETTLE = """() => new Promise((done) =>
  setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 250))"""


class MapPage:
    """A map in a browser tab, which closes at the end of the ``with`` block.

    Attributes:
        page: The tab.
        frame: The frame that contains the map.
        wrong: Console messages, uncaught errors and the URLs of unexpected requests.
    """

    def __init__(self, browser: Browser, **options: Any) -> None:
        settings = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce"}
        self._context = browser.new_context(**{**settings, **options})
        self.wrong: list[str] = []

    def __enter__(self) -> "MapPage":
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()

    def open(self, content: bytes, place: str, directory: pathlib.Path) -> None:
        """Opens a map and waits until it is drawn.

        Args:
            content: The HTML file.
            place: 'file'; 'frame' for a sandboxed iframe like that of Kubeflow Pipelines; or a
                URL that serves the content.
            directory: Where to write the file.
        """
        self.page = self._context.new_page()
        self.page.add_init_script(_KEEP_LABELS)
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda request: self._note(request.url))
        if place != "frame":
            file = directory / "map.html"
            file.write_bytes(content)
            self._own = file.as_uri() if place == "file" else place
            self.page.goto(self._own)
            self.frame: Frame = self.page.main_frame
        else:
            self._own = "about:srcdoc"
            size = "position: fixed; inset: 0; width: 100%; height: 100%; border: 0"
            source = html.escape(content.decode())
            self.page.set_content(
                f'<iframe sandbox="allow-scripts" style="{size}" srcdoc="{source}"></iframe>'
            )
            self.frame = self.page.frames[1]
        self.frame.evaluate(_DRAWN)
        self.settle()

    def places(self) -> dict[str, tuple[float, float]]:
        """Returns where the pointer finds each word, in pixels: the center of that area."""
        return {word: (x, y) for word, x, y in self.frame.evaluate(_SWEEP)}

    def written(self) -> dict[str, tuple[float, float]]:
        """Returns the labels on the map and where the middle of each is, in pixels."""
        return {label: (x, y) for label, x, y, _ in self.frame.evaluate("written")}

    def bold(self) -> set[str]:
        """Returns the labels on the map that are in bold."""
        return {label for label, _, _, is_bold in self.frame.evaluate("written") if is_bold}

    def read(self, rows: list[tuple[int, str]]) -> list[Any]:
        """Finds points by the search and returns what the panel shows for each.

        Args:
            rows: Row and label of each point.

        Returns:
            A dictionary per point; None where the search does not list it.
        """
        said: list[Any] = self.frame.evaluate(_READ, rows)
        return said

    def text(self, selector: str) -> str:
        """Returns the text of the element that a selector matches."""
        return self.frame.locator(selector).inner_text()

    def texts(self, selector: str) -> list[str]:
        """Returns the texts of all elements that a selector matches."""
        return self.frame.locator(selector).all_inner_texts()

    def color(self, x: float, y: float) -> tuple[int, ...]:
        """Returns the red, green and blue of a pixel, 0 to 255."""
        clip = {"x": round(x), "y": round(y), "width": 1, "height": 1}
        return tuple(self.pixels(clip=clip)[0, 0].tolist())

    def across(self, selector: str) -> list[np.ndarray]:
        """Returns the pixels from left to right in the middle of each element, [width, 3]."""
        boxes = [element.bounding_box() for element in self.frame.locator(selector).all()]
        picture = self.pixels()
        return [
            picture[round(box["y"] + box["height"] / 2), round(box["x"]) :][: round(box["width"])]
            for box in boxes
            if box
        ]

    def pixels(self, **options: Any) -> np.ndarray:
        """Returns the red, green and blue of all pixels, integers [height, width, 3].

        Args:
            **options: Those of Playwright's `screenshot`, such as the area to `clip`.
        """
        with PIL.Image.open(io.BytesIO(self.page.screenshot(**options))) as picture:
            return np.asarray(picture.convert("RGB"))

    def click(self, x: float, y: float) -> None:
        """Clicks the canvas."""
        # Just after a screenshot, `page.mouse.click` may miss the frame.
        self.frame.locator("#map").click(position={"x": x, "y": y})

    def settle(self) -> None:
        """Waits until the map is drawn after a gesture."""
        self.frame.evaluate(_SETTLE)

    def _note(self, url: str) -> None:
        if url != self._own:
            self.wrong.append(url)
