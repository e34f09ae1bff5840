import pytest
from tfx.orchestration.portable.data_types import ExecutionInfo

from components.embedding_trainer.driver import Driver


@pytest.mark.parametrize(
    "workers", ['["host2:7077", "host3:7077"]', '["10.0.0.2:1", "10.0.0.3:1"]']
)
def test_the_cache_sees_the_number_of_workers_and_not_their_addresses(workers: str) -> None:
    output = Driver(None).run(ExecutionInfo(exec_properties={"workers": workers}))
    assert {key: value.string_value for key, value in output.exec_properties.items()} == {
        "workers": "2"
    }
