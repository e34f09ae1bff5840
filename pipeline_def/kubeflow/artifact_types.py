"""Lets TFX compile this project's artifact types into a PipelineSpec.

TFX itself compiles only types whose TYPE_NAME is their import path and that have no properties.
"""

import contextlib
from collections.abc import Iterator
from unittest import mock

import yaml
from tfx import types
from tfx.orchestration.kubeflow.v2 import compiler_utils
from tfx.types.artifact import PropertyType

_JSON_TYPES = {
    PropertyType.INT: "integer",
    PropertyType.FLOAT: "number",
    PropertyType.STRING: "string",
}


@contextlib.contextmanager
def compilable() -> Iterator[None]:
    """Replaces TFX's function that describes a type, during a ``with`` block."""
    of_tfx = compiler_utils.get_artifact_schema

    def schema(artifact_type: type[types.Artifact]) -> str | bytes:
        is_of_tfx = artifact_type.__module__.startswith("tfx.")
        return of_tfx(artifact_type) if is_of_tfx else _instance_schema(artifact_type)

    with mock.patch.object(compiler_utils, "get_artifact_schema", schema):
        yield


def _instance_schema(artifact_type: type[types.Artifact]) -> str:
    # In a step, TFX imports the type by this title, so the top-level package must export it.
    package = artifact_type.__module__.partition(".")[0]
    properties = artifact_type.PROPERTIES or {}
    schema = {
        "title": f"{package}.{artifact_type.__name__}",
        "type": "object",
        "properties": {
            name: {"type": _JSON_TYPES[declared.type]} for name, declared in properties.items()
        },
    }
    return yaml.safe_dump(schema, sort_keys=False)
