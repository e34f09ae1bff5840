"""Drives TensorBoard's projector page in Chromium."""

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
# A page takes a few seconds; the rest is for a busy machine.
TIMEOUT_MS = 120_000
# WebGL without a GPU, and no network requests by the browser itself.
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
# The page's top element, which holds the data set, the panels and the scatter plot.
_PROJECTOR = (
    "document.querySelector('vz-projector-dashboard')?.shadowRoot?.querySelector('vz-projector')"
)


class ProjectorPage:
    """TensorBoard's projector in browser tabs, which close at the end of the ``with`` block."""

    def __init__(self, browser: Browser) -> None:
        self._context = browser.new_context(viewport={"width": 1000, "height": 650})

    def __enter__(self) -> "ProjectorPage":
        return self

    def __exit__(self, *_: object) -> None:
        self._context.close()

    def open(self, url: str, run: str) -> None:
        """Opens a run in a new tab and waits until its points are drawn.

        Args:
            url: The address of TensorBoard.
            run: The run's name in TensorBoard's list.
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
        """Chooses another tensor of the run and waits until its points are drawn.

        Args:
            name: The tensor's name in the checkpoint.
        """
        self._choose("selectedTensor", name)

    def points_drawn(self) -> int:
        """Returns the number of points with finite coordinates in the scene."""
        places = self._ask(
            "[...projector.projectorScatterPlotAdapter.scatterPlot.worldSpacePointPositions]"
        )
        return int(np.isfinite(np.array(places, float).reshape(-1, 3)).all(axis=1).sum())

    def positions(self) -> np.ndarray:
        """Returns the coordinates of the current projection, floats [points, 2 or 3]."""
        rows = self._ask(
            """projector.dataSet.points.map(point => projector.projection.projectionComponents
                .filter(name => name !== null).map(name => point.projections[name]))"""
        )
        return np.array(rows, float)

    def vectors(self) -> np.ndarray:
        """Returns the vectors of the current tensor, floats [points, columns]."""
        return np.array(self._ask("projector.dataSet.points.map(point => [...point.vector])"))

    def label_of(self, row: int) -> str:
        """Returns the label that TensorBoard shows when the pointer is over a point.

        Args:
            row: The point's index among those shown.
        """
        self._ask("{ projector.notifyHoverOverPoint(argument) }", row)
        label = self._scene().locator("#status-bar").inner_text()
        self._ask("{ projector.notifyHoverOverPoint(null) }")
        return label

    def color_options(self) -> list[str]:
        """Returns the columns that 'Color by' offers."""
        options: list[str] = self._ask(
            """projector.dataPanel.colorOptions.filter(option => option.map)
                .map(option => option.name)"""
        )
        return options

    def label_options(self) -> list[str]:
        """Returns the columns that 'Label by' offers."""
        options: list[str] = self._ask("projector.dataPanel.labelOptions")
        return options

    def search_options(self) -> list[str]:
        """Returns the columns that the search offers."""
        options: list[str] = self._ask("projector.inspectorPanel.metadataFields")
        return options

    def search(self, text: str, column: str) -> str:
        """Types into the search box.

        Args:
            text: The text to search for.
            column: The column to search.

        Returns:
            The number of matches as the page words it, such as '11 matches.'.
        """
        self._ask("{ projector.inspectorPanel.selectedMetadataField = argument }", column)
        box = self._scene().locator("vz-projector-inspector-panel #search-box")
        if box.locator("input").input_value() == text:
            box.locator("input").fill("")  # Filling in the same text starts no new search.
        box.locator("input").fill(text)
        return box.locator(".info").inner_text()

    def selected_rows(self) -> list[int]:
        """Returns the selected points, such as the matches of a search."""
        rows: list[int] = self._ask("projector.selectedPointIndices")
        return rows

    def selected(self) -> dict[str, str]:
        """Returns the columns that color and label the points, and the open tab."""
        choices: dict[str, str] = self._ask(
            """({color: projector.dataPanel.selectedColorOptionName,
                 label: projector.selectedLabelOption,
                 tab: projector.projection.projectionType})"""
        )
        return choices

    def bookmarks(self) -> list[str]:
        """Returns the labels in the bookmark panel."""
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
        """Clicks a projection's tab and waits until it is the current projection.

        Args:
            name: The projection, such as 'pca'.
        """
        self._scene().locator(f".ink-tab[data-tab={name}]").click()
        self._scene().wait_for_function(
            _function("projector.projection?.projectionType === argument"), arg=name
        )

    def errors(self) -> list[str]:
        """Returns all errors so far: error dialogs, toasts and errors on the console."""
        shown: list[str] = self._ask(
            """[...projector.shadowRoot.querySelectorAll('#notify-msgs .error')]
                .map(message => message.innerText)
                .concat(projector.$.toast.text || [])"""
        )
        return shown + self._console

    def screenshot(self, path: pathlib.Path) -> None:
        """Writes a screenshot of the page to `path`, as a PNG."""
        self._page.screenshot(path=path)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._console.append(message.text)

    def _scene(self) -> Frame:
        """Returns the frame with the scene, which is nested two iframes deep."""
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
        # The page sets the projection last; the progress dialog closes after that.
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
