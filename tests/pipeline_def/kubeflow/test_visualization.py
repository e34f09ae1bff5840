import pathlib

import pytest

from pipeline_def.kubeflow import visualization

PROPERTIES = {
    "run_name": "mine-20261122",
    "rows": 1234.0,
    "dataset": "<imdb>",
    "neighbor_overlap": 0.5,
}


def test_the_page_is_self_contained(tmp_path: pathlib.Path) -> None:
    (tmp_path / "mine-20261122").mkdir()
    (tmp_path / "mine-20261122" / "projection.png").write_bytes(b"picture")
    page = visualization.page(str(tmp_path), PROPERTIES, "s3://b/x&y/projection")
    assert "data:image/png;base64,cGljdHVyZQ==" in page
    assert "1,234" in page
    assert "0.500" in page
    assert "&lt;imdb&gt;" in page
    assert "<td>s3://b/x&amp;y/projection</td>" in page
    assert "aws s3 cp --recursive s3://b/x&amp;y/projection projection\n" in page
    assert "http://" not in page


def test_a_projection_without_layouts_has_no_picture(tmp_path: pathlib.Path) -> None:
    page = visualization.page(str(tmp_path), PROPERTIES, "s3://b/projection")
    assert "1,234" in page
    assert "<img" not in page


@pytest.mark.parametrize(
    ("uri", "command"),
    [
        ("gs://b/run/projection", "gsutil -m cp -r gs://b/run/projection ."),
        ("s3://b/run/projection", "aws s3 cp --recursive s3://b/run/projection projection"),
        (
            "minio://b/run/projection",
            "aws --endpoint-url http://localhost:9000 s3 cp --recursive "
            "s3://b/run/projection projection",
        ),
    ],
)
def test_a_projection_is_copied_and_then_opened(uri: str, command: str) -> None:
    assert visualization.commands(uri) == f"{command}\ntensorboard --logdir projection"


def test_a_projection_on_a_disk_is_opened_where_it_is() -> None:
    assert visualization.commands("/store/projection") == "tensorboard --logdir /store/projection"
