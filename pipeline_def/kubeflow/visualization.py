"""Makes the page that shows a projection in KFP's user interface."""

import pathlib
from collections.abc import Mapping
from typing import Any

from components.projector_exporter.page import MAP, add_facts

# The output of the step ProjectorExporter that the entrypoint writes, not the TFX executor.
OUTPUT = "visualization"

_COPY_COMMANDS = {
    "gs": "gsutil -m cp -r gs://{path} .",
    "s3": "aws s3 cp --recursive s3://{path} projection",
    # MinIO and SeaweedFS speak S3. README.md says how to forward their port.
    "minio": "aws --endpoint-url http://localhost:9000 s3 cp --recursive s3://{path} projection",
}


def page(projection: str, properties: Mapping[str, Any], uri: str) -> str:
    """Returns the HTML of a projection's map, which also says how to open it in TensorBoard.

    Args:
        projection: Local path of an EmbeddingProjection artifact.
        properties: Its properties and custom properties.
        uri: Where the artifact is kept.
    """
    facts = {"Kept in": uri, "To open it in TensorBoard": commands(uri)}
    if "neighbor_overlap" in properties:
        kept = f"{properties['neighbor_overlap']:.0%}"
        facts = {"Neighbors kept against the baseline": kept, **facts}
    path = pathlib.Path(projection, properties["run_name"], MAP)
    return add_facts(path.read_text(encoding="utf-8"), facts)


def commands(uri: str) -> str:
    """Returns the shell commands, one a line, that open the projection at a URI in TensorBoard.

    TensorBoard's projector cannot read object stores, so the artifact is first copied from one.
    """
    scheme, separator, path = uri.partition("://")
    if not separator:
        return f"tensorboard --logdir {uri}"
    return f"{_COPY_COMMANDS[scheme].format(path=path)}\ntensorboard --logdir projection"
