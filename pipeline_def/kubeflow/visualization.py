"""A projection as a page in KFP's user interface."""

import base64
import html
import pathlib
import re
from collections.abc import Mapping
from typing import Any

# KFP keeps an artifact in PIPELINE_ROOT/PIPELINE/RUN/TASK/NAME, newer versions in
# PIPELINE_ROOT/PIPELINE/RUN/TASK/UUID/NAME; a RUN is a UUID.
_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_RUN = re.compile(f"/({_UUID})/[^/]+/(?:{_UUID}/)?[^/]+$")
_PROPERTIES = {
    "run_name": "Name in TensorBoard",
    "dataset": "Dataset",
    "dataset_fingerprint": "Fingerprint of the dataset",
    "rows": "Words",
    "rows_left_out": "Words left out",
    "dimensions": "Dimensions",
    "neighbor_overlap": "Neighbors kept against the baseline",
}


def page(projection: str, properties: Mapping[str, Any], uri: str) -> str:
    """Makes a self-contained page of a projection.

    Args:
        projection: Local path of an EmbeddingProjection artifact.
        properties: Its properties, of both kinds.
        uri: Where the page is kept, which tells the run.

    Returns:
        HTML with the picture of the projection, its properties, and how to open it in TensorBoard.
    """
    rows = "\n".join(
        f"<tr><th>{title}</th><td>{html.escape(_text(properties[name]))}</td></tr>"
        for name, title in _PROPERTIES.items()
        if properties.get(name) not in (None, "")
    )
    path = pathlib.Path(projection, properties["run_name"], "projection.png")
    picture = base64.b64encode(path.read_bytes()).decode()
    run = _RUN.search(uri)
    command = f"python -m pipeline_def.kubeflow fetch-projection --run {run[1] if run else 'RUN'}"
    return f"""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>Embedding projection</title>
<style>
body {{ font-family: sans-serif; margin: 1em }}
th {{ text-align: left; padding-right: 1em }}
img {{ max-width: 100% }}
</style>
<table>
{rows}
</table>
<p>To turn, search and click it in TensorBoard: <code>{command}</code></p>
<img alt="The projection" src="data:image/png;base64,{picture}">
</html>
"""


def _text(value: Any) -> str:
    if isinstance(value, float):  # All numbers of KFP's metadata are.
        return f"{value:,.0f}" if value.is_integer() else f"{value:.3f}"
    return str(value)
