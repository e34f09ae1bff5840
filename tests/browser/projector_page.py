"""TensorBoard's projector page in a real browser."""

import pathlib
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, ConsoleMessage, Frame, Locator

CHROMIUM = pathlib.Path("/usr/bin/chromium")
MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"There is no {CHROMIUM}."),
]
# For a busy machine; a page takes a few seconds.
TIMEOUT_MS = 120_000
# WebGL without a GPU, and no errands of the browser's own.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# The page's own element; it holds the data set, the panels and the scatter plot.
_PROJECTOR = (
    "document.querySelector('vz-projector-dashboard')?.shadowRoot?.querySelector('vz-projector')"
)


class ProjectorPage:
    """The projector of a TensorBoard, in tabs of a browser, for the time of a ``with`` block."""

    def __init__(self, browser: Browser) -> None:
        self._context = browser.new_context(viewport={"width": 1000, "height": 650})

    def __enter__(self) -> "ProjectorPage":
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()

    def open(self, url: str, run: str) -> None:
        """Opens a run's projection in a new tab and waits until it is there.

        Args:
            url: Where TensorBoard listens.
            run: As TensorBoard lists it.
        """
        self._console: list[str] = []
        self._page = self._context.new_page()
        self._page.set_default_timeout(TIMEOUT_MS)
        self._page.on("console", self._note)
        self._page.on("pageerror", lambda error: self._console.append(str(error)))
        self._page.goto(f"{url}/#projector")
        nested = self._page.frame_locator("iframe").frame_locator("iframe")
        nested.locator("vz-projector").wait_for(state="attached")
        self._wait_until_drawn()
        if self._ask("projector.dataPanel.selectedRun") != run:
            self._choose("selectedRun", run)

    def open_tensor(self, name: str) -> None:
        """Chooses another tensor of the run and waits until it is there.

        Args:
            name: As the checkpoint has it.
        """
        self._choose("selectedTensor", name)

    def points_drawn(self) -> int:
        """Counts the points that have a place in the scene."""
        places = self._ask(
            "[...projector.projectorScatterPlotAdapter.scatterPlot.worldSpacePointPositions]"
        )
        return int(np.isfinite(np.array(places, float).reshape(-1, 3)).all(axis=1).sum())

    def positions(self) -> np.ndarray:
        """Reads the coordinates of the projection that is shown, floats [points, 2 or 3]."""
        rows = self._ask(
            """projector.dataSet.points.map(point => projector.projection.projectionComponents
                .filter(name => name !== null).map(name => point.projections[name]))"""
        )
        return np.array(rows, float)

    def vectors(self) -> np.ndarray:
        """Reads the points of the tensor that is shown, floats [points, columns]."""
        return np.array(self._ask("projector.dataSet.points.map(point => [...point.vector])"))

    def label_of(self, row: int) -> str:
        """Reads what TensorBoard says when the mouse is on a point.

        Args:
            row: The point's number among those shown.
        """
        self._ask("{ projector.notifyHoverOverPoint(argument) }", row)
        label = self._scene().locator("#status-bar").inner_text()
        self._ask("{ projector.notifyHoverOverPoint(null) }")
        return label

    def color_options(self) -> list[str]:
        """Lists the columns that 'Color by' offers."""
        options: list[str] = self._ask(
            """projector.dataPanel.colorOptions.filter(option => option.map)
                .map(option => option.name)"""
        )
        return options

    def label_options(self) -> list[str]:
        """Lists the columns that 'Label by' offers."""
        options: list[str] = self._ask("projector.dataPanel.labelOptions")
        return options

    def search_options(self) -> list[str]:
        """Lists the columns that the search offers."""
        options: list[str] = self._ask("projector.inspectorPanel.metadataFields")
        return options

    def search(self, text: str, column: str) -> str:
        """Types into the search box.

        Args:
            text: What to look for.
            column: The column to look in.

        Returns:
            What the page says of the matches.
        """
        self._ask("{ projector.inspectorPanel.selectedMetadataField = argument }", column)
        box = self._scene().locator("vz-projector-inspector-panel #search-box")
        if box.locator("input").input_value() == text:
            box.locator("input").fill("")  # The same text would not be looked for again.
        box.locator("input").fill(text)
        return box.locator(".info").inner_text()

    def selected_rows(self) -> list[int]:
        """Lists the points that are selected, such as the matches of a search."""
        rows: list[int] = self._ask("projector.selectedPointIndices")
        return rows

    def selected(self) -> dict[str, str]:
        """Reads what colors and labels the points, and which tab is open."""
        choices: dict[str, str] = self._ask(
            """({color: projector.dataPanel.selectedColorOptionName,
                 label: projector.selectedLabelOption,
                 tab: projector.projection.projectionType})"""
        )
        return choices

    def bookmarks(self) -> list[str]:
        """Lists the labels in the bookmark panel."""
        labels = self._bookmark_rows().locator("textarea")
        return [label.input_value() for label in labels.all()]

    def click_bookmark(self, label: str) -> None:
        """Clicks the radio button of a bookmark.

        Args:
            label: The bookmark's label.
        """
        row = self._bookmark_rows().nth(self.bookmarks().index(label))
        row.locator("paper-icon-button[icon=radio-button-unchecked]").click()
        row.locator("paper-icon-button[icon=radio-button-checked]").wait_for()

    def open_tab(self, name: str) -> None:
        """Clicks a tab of the projections and waits for its points.

        Args:
            name: Such as 'pca'.
        """
        self._scene().locator(f".ink-tab[data-tab={name}]").click()
        self._scene().wait_for_function(
            _function("projector.projection?.projectionType === argument"), arg=name
        )

    def errors(self) -> list[str]:
        """Lists what went wrong so far: error dialogs, toasts, errors on the console."""
        shown: list[str] = self._ask(
            """[...projector.shadowRoot.querySelectorAll('#notify-msgs .error')]
                .map(message => message.innerText)
                .concat(projector.$.toast.text || [])"""
        )
        return shown + self._console

    def screenshot(self, path: pathlib.Path) -> None:
        """Writes a PNG of the page.

        Args:
            path: Where to.
        """
        self._page.screenshot(path=path)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._console.append(message.text)

    def _scene(self) -> Frame:
        """Finds the frame of the scene, two iframes deep."""
        (frame,) = (frame for frame in self._page.frames if "projector_binary.html" in frame.url)
        return frame

    def _bookmark_rows(self) -> Locator:
        return self._scene().locator("vz-projector-bookmark-panel .state-row")

    def _ask(self, expression: str, argument: object = None) -> Any:
        return self._scene().evaluate(_function(expression), argument)

    def _choose(self, menu: str, entry: str) -> None:
        self._ask(
            """{ projector.dataSetBefore = projector.originalDataSet;
                 projector.dataPanel[argument[0]] = argument[1] }""",
            [menu, entry],
        )
        self._wait_until_drawn()

    def _wait_until_drawn(self) -> None:
        # The projection comes last, and the dialog with the progress goes after it.
        self._scene().wait_for_function(
            _function(
                """projector?.originalDataSet && projector.projection
                   && projector.originalDataSet !== projector.dataSetBefore
                   && !projector.$['notification-dialog'].opened"""
            )
        )


def _function(expression: str) -> str:
    body = expression if expression.startswith("{") else f"{{ return {expression} }}"
    return f"argument => {{ const projector = {_PROJECTOR}; {body} }}"
