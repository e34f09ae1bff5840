"""Whole pipelines through the tfx command, as a user runs them."""

import dataclasses
import os
import pathlib
import subprocess
import sys

import ml_metadata
import pytest
import tensorflow_datasets as tfds
import yaml
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx.orchestration import metadata

from pipeline_def import sample_reviews

PROJECT = pathlib.Path(__file__).parents[2]
FEATURES = tfds.features.FeaturesDict(
    {"review": tfds.features.Text(), "verdict": tfds.features.ClassLabel(names=["neg", "pos"])}
)


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[dict[str, object]]]:
    """The sample's reviews under other feature names: somebody's own dataset."""
    builder = sample_reviews.SampleReviews(data_dir=tmp_path_factory.mktemp("sample"))
    builder.download_and_prepare()
    return {
        split: [
            {"review": example["text"], "verdict": example["label"]}
            for example in tfds.as_numpy(builder.as_dataset(split=split))
        ]
        for split in ("train", "test")
    }


def prepare(
    data_dir: pathlib.Path, splits: dict[str, list[dict[str, object]]], version: str = "1.0.0"
) -> None:
    """Prepares the dataset own_reviews."""
    tfds.dataset_builders.store_as_tfds_dataset(
        "own_reviews",
        version=version,
        features=FEATURES,
        split_datasets={split: list(enumerate(rows)) for split, rows in splits.items()},
        data_dir=data_dir,
    )


@dataclasses.dataclass
class Project:
    """A directory with a configuration, and the tfx command in it."""

    directory: pathlib.Path
    engine: str

    @property
    def config(self) -> pathlib.Path:
        return self.directory / "own.yaml"

    @property
    def root(self) -> pathlib.Path:
        return self.directory / "output" / "own"

    def tfx(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
            "PIPELINE_CONFIG": str(self.config),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            f"{self.engine.upper()}_HOME": str(self.directory / "home"),
            **variables,
        }
        command = ["tfx", *arguments[:2], "--engine", self.engine, *arguments[2:]]
        return subprocess.run(
            command, cwd=self.directory, env=environment, capture_output=True, text=True
        )

    def run(self, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.tfx("run", "create", "--pipeline_name", "own", **variables)

    def store(self) -> ml_metadata.MetadataStore:
        path = str(self.root / "metadata.sqlite")
        with metadata.Metadata(metadata.sqlite_metadata_connection_config(path)) as connected:
            return connected.store

    def states(self) -> dict[str, str]:
        """How each step of the newest run ended."""
        store = self.store()
        run = max(store.get_contexts_by_type("pipeline_run"), key=lambda context: context.id)
        return {
            execution.type.rpartition(".")[2]: mlmd.Execution.State.Name(execution.last_known_state)
            for execution in store.get_executions_by_context(run.id)
        }

    def artifacts(self, kind: str) -> list[mlmd.Artifact]:
        return list(self.store().get_artifacts_by_type(kind))

    def artifact(self, kind: str) -> mlmd.Artifact:
        """The newest artifact of a type."""
        return max(self.artifacts(kind), key=lambda artifact: artifact.id)


@pytest.fixture(scope="module", params=["beam", "local"])
def project(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    sample: dict[str, list[dict[str, object]]],
) -> Project:
    directory = tmp_path_factory.mktemp(request.param)
    prepare(directory / "tfds", {**sample, "train": sample["train"][:-200]})
    project = Project(directory, request.param)
    project.config.write_text(
        yaml.safe_dump(
            {
                "name": "own",
                "publish_dir": "published",
                "dataset": {
                    "name": "own_reviews",
                    "text_feature": "review",
                    "label_feature": "verdict",
                    "data_dir": "tfds",
                    "schema_file": str(PROJECT / "schemas" / "sample_reviews.pbtxt"),
                },
                "vocabulary": {"top_k": 1000, "skip_top": 10},
                "training": {"epochs": 10},
                "projection": {"probe_words": ["wonderful"]},
                "evaluation": {"min_accuracy": 0.75},
            }
        )
    )
    return project
