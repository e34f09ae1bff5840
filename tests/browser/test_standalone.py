"""The projector's page alone, as projector.tensorflow.org serves it, reads the raw files."""

import functools
import http.server
import pathlib
import shutil
import threading
from collections.abc import Iterator

import numpy as np
import pytest
import tensorboard.plugins.projector
from playwright.sync_api import sync_playwright

from components.projector_exporter.export import Embedding, export_embedding
from components.projector_exporter.options import ExportOptions
from tests.browser.projector_page import CHROMIUM, FLAGS, MARKS, TIMEOUT_MS

pytestmark = MARKS

TOKENS = [b"007", b"a\tb", "日本語".encode(), *(f"word{number}".encode() for number in range(40))]
MATRIX = np.random.default_rng(1).normal(size=(len(TOKENS), 5)).astype(np.float32)
# The body of TensorBoard's vz_projector/standalone.html.
PAGE = """<!doctype html><html style="height: 100%"><body style="height: 100%; margin: 0">
<vz-projector-app serving-mode="demo" projector-config-json-path="projector_config.json">
</vz-projector-app><script src="projector_binary.js"></script></body></html>"""
PROJECTOR = "document.querySelector('vz-projector-app')?.shadowRoot?.querySelector('vz-projector')"


@pytest.fixture
def url(tmp_path: pathlib.Path) -> Iterator[str]:
    options = ExportOptions(layouts=("pca",), formats=("bytes",))
    export_embedding(str(tmp_path / "1"), Embedding(TOKENS, MATRIX), options)
    served = tmp_path / "1" / "bytes"
    package = pathlib.Path(tensorboard.plugins.projector.__file__).parent
    shutil.copy(package / "tf_projector_plugin" / "projector_binary.js", served)
    (served / "index.html").write_text(PAGE)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=served)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/index.html"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_page_alone_reads_the_raw_files(url: str) -> None:
    with sync_playwright() as playwright:
        page = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS).new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.goto(url)
        page.wait_for_function(f"{PROJECTOR}?.dataSet?.points[0].metadata.token !== undefined")
        points = page.evaluate(
            f"{PROJECTOR}.dataSet.points.map(point => [point.metadata.token, ...point.vector])"
        )
        bookmarks = page.evaluate(f"{PROJECTOR}.bookmarkPanel.savedStates.map(s => s.label)")
    assert [point[0] for point in points[:3]] == [r"\&007", r"a\tb", "日本語"]
    np.testing.assert_array_equal(np.array([point[1:] for point in points], np.float32), MATRIX)
    assert bookmarks == ["PCA"]
