"""Executes a notebook that shows a projection."""

import html
import pathlib
import re

import numpy as np
import pytest

from components.projector_exporter.export import export_points
from components.projector_exporter.options import ExportOptions
from components.projector_exporter.words import word_points

# A channel with an exported projection replaces the output of a component run in an earlier cell.
CELLS = [
    """
from tfx.orchestration.experimental.interactive.interactive_context import InteractiveContext
from tfx.types import channel_utils
from components import EmbeddingProjection, ProjectorExporter
""",
    """
projection = EmbeddingProjection()
projection.uri = URI
projection.run_name = "mine"
channel = channel_utils.as_channel([projection])
InteractiveContext().show(channel)
""",
]


@pytest.mark.long
def test_a_notebook_shows_the_map(tmp_path: pathlib.Path) -> None:
    import nbclient  # Not above: it takes two seconds in each process that collects this file.
    import nbformat

    words = word_points([b"good", b"bad", b"<b>"], np.eye(3, dtype=np.float32))
    export_points(str(tmp_path / "mine"), [words], ExportOptions(layouts=("pca",)))
    cells = [cell.replace("URI", repr(str(tmp_path))) for cell in CELLS]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])

    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": "."}}).execute()

    shown = [
        output["data"]["text/html"] for output in notebook.cells[1].outputs if "data" in output
    ]
    (frame,) = (output for output in shown if "<iframe" in output)
    (source,) = re.findall(r'sandbox="allow-scripts" style="[^"]*" srcdoc="([^"]*)"', frame)
    assert html.unescape(source) == (tmp_path / "mine" / "map.html").read_text()
