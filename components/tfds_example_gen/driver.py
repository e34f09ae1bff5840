"""Driver of TfdsExampleGen: makes the dataset's content part of the cache key."""

from typing import Any

from tfx.components.example_gen import driver, utils
from tfx.orchestration import data_types

from components.tfds_example_gen import executor


class Driver(driver.Driver):
    """Pins the dataset's version and digests its examples before TFX looks into its cache."""

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """Adds the pinned name and the fingerprint; prepares the dataset if it is not prepared.

        Args:
            exec_properties: The execution properties of TfdsExampleGen.
            pipeline_info: Unused.
            component_info: Unused.

        Returns:
            The execution properties with the dataset's pinned name, its fingerprint, and the span
            and version that TFX's base class writes on the artifact.

        Raises:
            ValueError: The dataset cannot be read as requested.
            FileNotFoundError: The dataset is not prepared and cannot be.
        """
        del pipeline_info, component_info
        resolved = executor.resolve(exec_properties)
        return {
            **exec_properties,
            "dataset": resolved.name,
            utils.FINGERPRINT_PROPERTY_NAME: resolved.fingerprint(),
            utils.SPAN_PROPERTY_NAME: 0,
            utils.VERSION_PROPERTY_NAME: None,
        }
