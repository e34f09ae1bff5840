"""A map in a real browser, opened in each of the ways that people open it."""

import html
import io
import pathlib
from typing import Any

import numpy as np
import PIL.Image
from playwright.sync_api import Browser, Frame

# Moves the pointer over all of the canvas, more closely where there is a word, and notes where the
# tip names which.
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
# Searches for a label, clicks the row in the list, and reads what the panel then says of it.
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

# Labels are placed anew a little after the last motion.
_SETTLE = """() => new Promise((done) =>
  setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 250))"""


class MapPage:
    """A map in a tab of a browser, for the time of a ``with`` block.

    Attributes:
        page: The tab.
        frame: The frame of the map.
        wrong: What the console, the page and the network have to say.
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
            place: 'file', 'frame' as Kubeflow Pipelines makes one, or a URL that has the content.
            directory: Where to keep a file.
        """
        self.page = self._context.new_page()
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
        self.frame.wait_for_function("performance.getEntriesByName('drawn').length")
        self.settle()

    def places(self) -> dict[str, tuple[float, float]]:
        """Finds the words under the pointer: the middle of where each is named, in pixels."""
        return {word: (x, y) for word, x, y in self.frame.evaluate(_SWEEP)}

    def read(self, rows: list[tuple[int, str]]) -> list[Any]:
        """Finds points by the search, and reads what the panel says of each.

        Args:
            rows: Row and label of each.
        """
        said: list[Any] = self.frame.evaluate(_READ, rows)
        return said

    def text(self, selector: str) -> str:
        """Reads a text of the page."""
        return self.frame.locator(selector).inner_text()

    def texts(self, selector: str) -> list[str]:
        """Reads texts of the page."""
        return self.frame.locator(selector).all_inner_texts()

    def color(self, x: float, y: float) -> tuple[int, ...]:
        """Reads the color of a pixel: red, green and blue."""
        pixel = self.page.screenshot(clip={"x": round(x), "y": round(y), "width": 1, "height": 1})
        with PIL.Image.open(io.BytesIO(pixel)) as picture:
            return tuple(np.asarray(picture.convert("RGB"))[0, 0].tolist())

    def click(self, x: float, y: float) -> None:
        """Clicks the canvas."""
        # A bare click of the mouse may miss a frame of which a screenshot was just taken.
        self.frame.locator("#map").click(position={"x": x, "y": y})

    def settle(self) -> None:
        """Waits until what a gesture started is drawn."""
        self.frame.evaluate(_SETTLE)

    def _note(self, url: str) -> None:
        if url != self._own:
            self.wrong.append(url)
