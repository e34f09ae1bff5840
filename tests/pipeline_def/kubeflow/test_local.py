import pytest

from pipeline_def.kubeflow import local


@pytest.mark.parametrize("arguments", [[], ["pipeline.yaml"], ["pipeline.yaml", "store", "more"]])
def test_a_pipeline_and_a_store_are_asked_for(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="PIPELINE STORE"):
        local.main(arguments)
