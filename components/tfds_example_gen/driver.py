"""Driver of TfdsExampleGen: puts what the dataset is into the cache key."""

from typing import Any

from tfx.components.example_gen import driver, utils
from tfx.orchestration import data_types

from components.tfds_example_gen import executor


class Driver(driver.Driver):
    """Pins and fingerprints the dataset at every run, before TFX looks into its cache."""

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """Prepares the dataset if it is not, and adds what the base class puts on the artifact.

        Args:
            exec_properties: The execution properties of TfdsExampleGen.
            pipeline_info: Unused.
            component_info: Unused.

        Returns:
            The execution properties with the dataset's version pinned, its fingerprint, and the
            span and version that every ExampleGen has.

        Raises:
            ValueError: The dataset cannot be read as asked.
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
