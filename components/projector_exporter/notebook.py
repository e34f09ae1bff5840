"""Shows the maps of projections in notebooks: `context.show(exporter.outputs['projection'])`.

TFX's InteractiveContext looks in a registry for what shows a type of artifact. Importing this
module registers the map.
"""

import html
import os

import tensorflow as tf
from tfx import types
from tfx.orchestration.experimental.interactive import visualizations

from components.artifacts import EmbeddingProjection, projection_directory
from components.projector_exporter.page import MAP

_STYLE = "width: 100%; height: 640px; border: 1px solid #8884; border-radius: 6px"


class ProjectionMap(visualizations.ArtifactVisualization):
    """Shows the map of a projection."""

    ARTIFACT_TYPE = EmbeddingProjection

    def display(self, artifact: types.Artifact) -> None:
        """Displays the map below the notebook's cell.

        Args:
            artifact: An EmbeddingProjection.
        """
        from IPython.display import HTML, display

        path = os.path.join(projection_directory(artifact.mlmd_artifact), MAP)
        with tf.io.gfile.GFile(path) as file:
            source = html.escape(file.read())
        # Sandboxed as Kubeflow Pipelines does it: the map can reach nothing of the notebook's page.
        frame = f'<iframe sandbox="allow-scripts" style="{_STYLE}" srcdoc="{source}"></iframe>'
        # In an element of its own, as IPython warns of HTML that begins with a frame.
        display(HTML(f"<div>{frame}</div>"))


visualizations.get_registry().register(ProjectionMap)
