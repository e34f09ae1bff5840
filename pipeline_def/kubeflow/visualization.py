"""The page of a projection in KFP's user interface."""

import base64
import html
import pathlib
from collections.abc import Mapping
from typing import Any

_PROPERTIES = {
    "run_name": "Name in TensorBoard",
    "dataset": "Dataset",
    "dataset_fingerprint": "Fingerprint of the dataset",
    "rows": "Words",
    "rows_left_out": "Words left out",
    "dimensions": "Dimensions",
    "neighbor_overlap": "Neighbors kept against the baseline",
}
_COPY_COMMANDS = {
    "gs": "gsutil -m cp -r gs://{path} .",
    "s3": "aws s3 cp --recursive s3://{path} projection",
    # MinIO and SeaweedFS speak S3. README.md says how to forward their port.
    "minio": "aws --endpoint-url http://localhost:9000 s3 cp --recursive s3://{path} projection",
}


def page(projection: str, properties: Mapping[str, Any], uri: str) -> str:
    """Returns a self-contained page about a projection.

    Args:
        projection: Local path of an EmbeddingProjection artifact.
        properties: Its properties and custom properties.
        uri: Where the artifact is kept.

    Returns:
        HTML with the properties, the commands that open the projection in TensorBoard, and its
        picture, if it has a layout to draw.
    """
    rows = "\n".join(
        f"<tr><th>{title}</th><td>{html.escape(_text(properties[name]))}</td></tr>"
        for name, title in _PROPERTIES.items()
        if properties.get(name) not in (None, "")
    )
    picture = pathlib.Path(projection, properties["run_name"], "projection.png")
    image = ""
    if picture.exists():
        content = base64.b64encode(picture.read_bytes()).decode()
        image = f'<img alt="The projection" src="data:image/png;base64,{content}">'
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
<tr><th>Kept in</th><td>{html.escape(uri)}</td></tr>
</table>
<p>To search and turn it in TensorBoard:</p>
<pre>{html.escape(commands(uri))}</pre>
{image}
</html>
"""


def commands(uri: str) -> str:
    """Returns the shell commands that open a projection in TensorBoard.

    Args:
        uri: Of an EmbeddingProjection artifact. TensorBoard's projector reads no object stores, so
            that the artifact is copied from one first.

    Returns:
        A command a line.
    """
    scheme, separator, path = uri.partition("://")
    if not separator:
        return f"tensorboard --logdir {uri}"
    return f"{_COPY_COMMANDS[scheme].format(path=path)}\ntensorboard --logdir projection"


def _text(value: Any) -> str:
    if isinstance(value, float):  # KFP keeps all numbers as such.
        return f"{value:,.0f}" if value.is_integer() else f"{value:.3f}"
    return str(value)
