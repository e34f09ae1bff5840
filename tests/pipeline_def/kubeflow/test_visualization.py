import pathlib

import numpy as np
import pytest

from components.projector_exporter.page import make_page
from components.projector_exporter.words import word_points
from components.vectors.layouts import Layout
from pipeline_def.kubeflow import visualization

PROPERTIES = {"run_name": "mine-20261122", "rows": 1234.0}
WORDS = word_points([b"a", b"b"], np.eye(2, dtype=np.float32))
PAGE = make_page(WORDS, [Layout("PCA", np.eye(2), np.arange(2))], [], {"Dataset": "<imdb>"})


@pytest.fixture
def projection(tmp_path: pathlib.Path) -> str:
    (tmp_path / "mine-20261122").mkdir()
    (tmp_path / "mine-20261122" / "map.html").write_bytes(PAGE)
    return str(tmp_path)


def test_the_page_is_the_map_with_where_the_projection_is_kept(projection: str) -> None:
    page = visualization.page(projection, PROPERTIES, "s3://b/x&y/projection")
    added = (
        "<dt>Kept in</dt><dd>s3://b/x&amp;y/projection</dd>"
        "<dt>To open it in TensorBoard</dt><dd><pre>aws s3 cp --recursive "
        "s3://b/x&amp;y/projection projection\ntensorboard --logdir projection</pre></dd>"
    )
    assert added in page
    assert page.replace(added, "") == PAGE.decode()


def test_the_page_says_how_much_of_the_baseline_is_kept(projection: str) -> None:
    page = visualization.page(projection, {**PROPERTIES, "neighbor_overlap": 0.5}, "/store")
    assert "<dt>Neighbors kept against the baseline</dt><dd>50%</dd><dt>Kept in</dt>" in page


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
