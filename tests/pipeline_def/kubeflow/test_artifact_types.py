import yaml
from tfx.orchestration.kubeflow.v2 import compiler_utils
from tfx.types import standard_artifacts

from components import EmbeddingProjection
from pipeline_def.kubeflow.artifact_types import compilable


def test_types_of_this_project_have_a_schema_with_their_properties() -> None:
    with compilable():
        schema = yaml.safe_load(compiler_utils.get_artifact_schema(EmbeddingProjection))
    assert schema["title"] == "components.EmbeddingProjection"
    assert schema["type"] == "object"
    assert schema["properties"]["rows"] == {"type": "integer"}
    assert schema["properties"]["run_name"] == {"type": "string"}


def test_types_of_tfx_keep_theirs() -> None:
    of_tfx = compiler_utils.get_artifact_schema(standard_artifacts.Model)
    with compilable():
        assert compiler_utils.get_artifact_schema(standard_artifacts.Model) == of_tfx
