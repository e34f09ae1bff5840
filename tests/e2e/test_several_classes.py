"""Runs the pipeline on four classes, with subwords and the schema that SchemaGen infers."""

import pathlib
import random

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
import yaml

from components.projector_directory import reader
from tests.pipelines import RESOLVER, STEPS, Pipeline, Run, prepare

pytestmark = pytest.mark.slow

TOPICS = {
    "weather": "rain rainy raining snow snowing storm stormy cloud cloudy sunny wind windy frost",
    "cooking": "bake baking baked boil boiling fry frying soup sauce roast roasting spice spicy",
    "music": "sing singing singer tune drum drummer drumming piano guitar melody chord choir",
    "sport": "run running runner jump jumping swim swimming swimmer goal match team coach race",
}
COMMON = "the and of it was very quite again today they with for at by this that"


def texts(seed: int, count: int) -> list[dict[str, object]]:
    generator = random.Random(seed)
    return [
        {
            "body": " ".join(
                generator.choice((topic if generator.random() < 0.4 else COMMON).split())
                for _ in range(generator.randint(5, 15))
            ),
            "topic": label,
        }
        for _ in range(count // len(TOPICS))
        for label, topic in enumerate(TOPICS.values())
    ]


def users_of(token: str) -> set[str]:
    """Returns the topics whose words may be cut into pieces with this one; 'all' for COMMON."""
    piece = token.removeprefix("##")

    def may_contain(word: str) -> bool:
        return word.startswith(piece) if piece == token else piece in word[1:]

    return {
        topic
        for topic, words in {**TOPICS, "all": COMMON}.items()
        if any(map(may_contain, words.split()))
    }


@pytest.fixture(scope="module")
def topics(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    directory = tmp_path_factory.mktemp("topics")
    features = tfds.features.FeaturesDict(
        {"body": tfds.features.Text(), "topic": tfds.features.ClassLabel(names=list(TOPICS))}
    )
    prepare(
        directory / "tfds", "topics", features, {"train": texts(1, 1200), "test": texts(2, 400)}
    )
    config = directory / "topics.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "name": "topics",
                "dataset": {"name": "topics", "text_feature": "body", "label_feature": "topic"},
                "vocabulary": {"tokenizer": "subwords", "top_k": 60},
                "training": {"epochs": 20, "learning_rate": 0.02},
                "projection": {"layouts": ["pca"]},
                "evaluation": {"min_accuracy": 0.8},
            }
        )
    )
    return Pipeline("topics", "local", directory, {"PIPELINE_CONFIG": str(config)})


@pytest.fixture(scope="module")
def run(topics: Pipeline) -> Run:
    return topics.run()


def test_every_step_completes_with_an_inferred_schema(run: Run) -> None:
    assert run.code == 0, run.printed
    steps = STEPS - {"ImportSchemaGen"} | {"SchemaGen", RESOLVER}
    assert run.states == dict.fromkeys(steps, "COMPLETE")
    assert run.line("Model").startswith("blessed, pushed to ")


def test_the_pushed_model_tells_the_classes_apart(topics: Pipeline, run: Run) -> None:
    (version,) = (topics.root / "serving").iterdir()
    serve = tf.saved_model.load(str(version)).signatures["serve_text"]
    asked = ["it was rainy and windy", "roasting a spicy soup", "a choir singing", "swim race"]
    served = np.asarray(serve(text=tf.constant(asked))["probabilities"])
    assert served.argmax(axis=1).tolist() == [0, 1, 2, 3]


def test_the_projection_has_pieces_of_words_and_every_class(run: Run) -> None:
    lines = (pathlib.Path(run.line("Projection")) / "metadata.tsv").read_text().splitlines()
    columns, rows = reader.parse_table(lines)
    assert [f"P({topic})" for topic in TOPICS] == [name for name in columns if name[:2] == "P("]
    tokens = [row[columns.index("token")] for row in rows]
    assert any(token.startswith("##") for token in tokens)
    assert len(tokens) > len(COMMON.split())
    # A piece that only the words of one topic contain belongs to that topic.
    classes = {row[columns.index("token")]: row[columns.index("class")] for row in rows}
    owned = {token: topic for topic in TOPICS for token in tokens if users_of(token) == {topic}}
    assert len(set(owned.values())) >= 2
    assert {token: classes[token] for token in owned} == owned
