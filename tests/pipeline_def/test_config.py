import pathlib

import pytest

from pipeline_def.config import ConfigError, load

CONFIGS = pathlib.Path(__file__).parents[2] / "pipeline_def" / "configs"
MINIMAL = """
name: mine
dataset: {name: imdb_reviews}
evaluation: {min_accuracy: 0.5}
"""


def written(tmp_path: pathlib.Path, text: str) -> dict[str, str]:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    return {"PIPELINE_CONFIG": str(path)}


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.name)
def test_every_shipped_configuration_is_valid(path: pathlib.Path) -> None:
    assert load({"PIPELINE_CONFIG": str(path)}).name == path.stem


def test_the_sample_is_the_default() -> None:
    assert load({}).name == "sample"


def test_the_pipeline_has_a_directory_of_its_own(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = written(tmp_path, MINIMAL)
    monkeypatch.chdir(tmp_path)
    assert load(environment).root == tmp_path / "output" / "mine"
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    environment["PIPELINE__OUTPUT_DIR"] = "~/output"
    assert load(environment).root == tmp_path / "home" / "output" / "mine"


@pytest.mark.parametrize(
    ("written_as", "found"),
    [
        ("stable", "{}/stable"),
        ("~/stable", "{}/home/stable"),
        ("/srv/stable", "/srv/stable"),
        ("gs://bucket/a", "gs://bucket/a"),
    ],
)
def test_projections_are_published_to_a_path_or_a_uri(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, written_as: str, found: str
) -> None:
    environment = written(tmp_path, f"{MINIMAL}publish_dir: {written_as}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert load(environment).publish_dir == found.format(tmp_path)


def test_files_take_the_place_of_a_name(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = MINIMAL.replace("name: imdb_reviews", "files: {train: a.csv, eval: gs://bucket/b.csv}")
    monkeypatch.chdir(tmp_path)
    dataset = load(written(tmp_path, text)).dataset
    assert dataset.files == {"train": str(tmp_path / "a.csv"), "eval": "gs://bucket/b.csv"}
    assert (dataset.train, dataset.eval) == ("train", "eval")
    text = text.replace("dataset: {", "dataset: {eval: 'train[:3]', ")
    assert load(written(tmp_path, text)).dataset.eval == "train[:3]"


def test_variables_override_single_values(tmp_path: pathlib.Path) -> None:
    environment = written(tmp_path, MINIMAL) | {
        "PIPELINE__TRAINING__EPOCHS": "7",
        "PIPELINE__DATASET__TRAIN": "train[:90%]",
        "PIPELINE__OUTPUT_DIR": "elsewhere",
    }
    config = load(environment)
    assert config.training.epochs == 7
    assert config.dataset.train == "train[:90%]"
    assert config.dataset.eval == "test"
    assert config.output_dir == "elsewhere"


@pytest.mark.parametrize(
    ("text", "directory"),
    [("/50% of #1, 'ours'", "/50% of #1, 'ours'"), ("'/a #1'", "/a #1"), (" /b ", "/b")],
)
def test_a_path_in_a_variable_is_not_cut(text: str, directory: str, tmp_path: pathlib.Path) -> None:
    environment = written(tmp_path, MINIMAL) | {"PIPELINE__OUTPUT_DIR": text}
    assert load(environment).output_dir == directory


@pytest.mark.parametrize(
    ("addition", "complaint"),
    [
        ("trainning: {}", "trainning: there is no such key. Did you mean training?"),
        ("training: {epoch: 3}", "training.epoch: there is no such key. Did you mean epochs?"),
        (
            "metadata: {kind: mysql, hots: x}",
            "metadata.hots: there is no such key. Did you mean ho",
        ),
        ("vocabulary: {size: 9}", "there is no such key. Expected one of tokenizer, top_k, skip"),
        (
            "training: {epochs: 0}",
            "training.epochs: Input should be greater than or equal to 1, found 0.",
        ),
        ("training: {strategy: tpus}", "training.strategy: Input should be 'auto', 'one_device',"),
        ("vocabulary: {top_n: 9}", "vocabulary.top_n: there is no such key. Did you mean top_k?"),
        (
            "training: {validation_fraction: 0.0}",
            "training: early_stopping_patience is 1 but validation_fraction is 0",
        ),
        ("projection: {probe_words: wonderful}", "projection.probe_words: Input should be a valid"),
        ("beam: {direct_running_mode: threads}", "beam.direct_running_mode: Input should be 'in_m"),
        ("dataset: {name: a, files: {data: b}}", "dataset: expected either name"),
        ("dataset: {files: {data: b}, delimiter: '; '}", "dataset.delimiter: "),
        ("dataset: {}", "dataset: expected either name, a dataset of TFDS, or files"),
        ("name: My Pipeline", "name: String should match pattern"),
        ("training: {epochs: many}", "training.epochs: Input should be a valid integer"),
        ("output_dir: gs://bucket", "output_dir: expected a path of this machine, found the URI"),
        ("dataset: {name: a, schema_file: no.pbtxt}", "dataset.schema_file: there is no file"),
        (
            "kubeflow: {steps: {Transform: {memroy: 1G}}}",
            "kubeflow.steps.Transform.memroy: there is no such key. Did you mean memory?",
        ),
        (
            "kubeflow: {volumes: [{claim: a, mount_path: /b}, {claims: a, mount_path: /b}]}",
            "kubeflow.volumes.1.claims: there is no such key. Did you mean claim?",
        ),
    ],
)
def test_faults_are_named(tmp_path: pathlib.Path, addition: str, complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, MINIMAL + addition))
    assert complaint in str(caught.value)
    assert "mine.yaml" in str(caught.value)


def test_an_overriding_variable_of_a_step(tmp_path: pathlib.Path) -> None:
    environment = written(tmp_path, MINIMAL) | {
        "PIPELINE__KUBEFLOW__STEPS__EmbeddingTrainer__CPU": "4",
        "PIPELINE__KUBEFLOW__STEPS__EmbeddingTrainer__NODE_SELECTOR__pool": "gpu",
        "PIPELINE__KUBEFLOW__DEFAULTS__MEMORY": "1Gi",
    }
    step = load(environment).kubeflow.of_step("EmbeddingTrainer")
    assert (step.cpu, step.memory, step.node_selector) == (4, "1Gi", {"pool": "gpu"})


def test_an_overriding_variable_with_an_unknown_key_is_refused(tmp_path: pathlib.Path) -> None:
    environment = written(tmp_path, MINIMAL) | {"PIPELINE__TRANING__EPOCHS": "7"}
    with pytest.raises(ConfigError, match="Did you mean training"):
        load(environment)


def test_an_overriding_variable_cannot_enter_a_single_value(tmp_path: pathlib.Path) -> None:
    environment = written(tmp_path, MINIMAL) | {"PIPELINE__NAME__FIRST": "7"}
    with pytest.raises(ConfigError, match="PIPELINE__NAME__FIRST: name is a single value"):
        load(environment)


def test_a_missing_file_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match=r"no\.yaml cannot be read: No such file"):
        load({"PIPELINE_CONFIG": str(tmp_path / "no.yaml")})


def test_an_empty_section_can_be_overridden(tmp_path: pathlib.Path) -> None:
    environment = written(tmp_path, MINIMAL + "training:") | {"PIPELINE__TRAINING__EPOCHS": "7"}
    assert load(environment).training.epochs == 7


def test_an_overriding_variable_that_is_no_yaml_is_refused(tmp_path: pathlib.Path) -> None:
    environment = written(tmp_path, MINIMAL) | {"PIPELINE__TRAINING__STRATEGY": "*x"}
    with pytest.raises(ConfigError, match="PIPELINE__TRAINING__STRATEGY"):
        load(environment)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("- a", r": expected a mapping with keys .*, found \['a'\]\."),
        ("", r": expected a mapping with keys .*, found None\."),
        ("a: [", " is not YAML: while parsing a flow node"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(
    tmp_path: pathlib.Path, text: str, fault: str
) -> None:
    with pytest.raises(ConfigError, match=rf"mine\.yaml{fault}"):
        load(written(tmp_path, text))


def test_what_is_not_configured_has_a_default(tmp_path: pathlib.Path) -> None:
    config = load(written(tmp_path, MINIMAL))
    assert (config.dataset.train, config.dataset.eval) == ("train", "test")
    assert config.dataset.schema_file is config.dataset.data_dir is config.publish_dir is None
    assert not config.dataset.allow_overlap
    assert config.evaluation.max_accuracy_drop == 0.01
    assert (config.beam.direct_running_mode, config.beam.direct_num_workers) == ("in_memory", 0)
    assert config.metadata is None
    assert config.kubeflow.steps == {}


@pytest.mark.parametrize(
    "addition",
    [
        "evaluation: {min_accuracy: 0, max_accuracy_drop: 1}",
        "evaluation: {min_accuracy: 1.0, max_accuracy_drop: 0.0}",
        "name: 1-a",
        f"name: {'a' * 100}",
        "beam: {direct_num_workers: 0}",
        "metadata: {kind: postgresql, host: a, port: 1, database: b, user: c}",
    ],
)
def test_values_in_their_range(tmp_path: pathlib.Path, addition: str) -> None:
    load(written(tmp_path, MINIMAL + addition))


@pytest.mark.parametrize(
    ("addition", "place"),
    [
        ("evaluation: {min_accuracy: 1.1}", "evaluation.min_accuracy"),
        ("evaluation: {min_accuracy: -0.1}", "evaluation.min_accuracy"),
        ("evaluation: {min_accuracy: 0.5, max_accuracy_drop: 1.1}", "evaluation.max_accuracy_drop"),
        ("evaluation: {min_accuracy: 0.5, max_accuracy_drop: -1}", "evaluation.max_accuracy_drop"),
        ("name: -a", "name"),
        ("name: a_b", "name"),
        ("name: a-", "name"),
        (f"name: {'a' * 101}", "name"),
        ("publish_dir: ''", "publish_dir"),
        ("beam: {direct_num_workers: -1}", "beam.direct_num_workers"),
        ("metadata: {kind: oracle, host: a, port: 1, database: b, user: c}", "metadata.kind"),
        ("metadata: {kind: mysql, host: a, port: 0, database: b, user: c}", "metadata.port"),
    ],
)
def test_values_out_of_their_range(tmp_path: pathlib.Path, addition: str, place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, MINIMAL + addition))
    first, *faults = str(caught.value).splitlines()
    assert first == f"The configuration {tmp_path / 'mine.yaml'} cannot be used:"
    assert [fault.split(": ")[0] for fault in faults] == [f"  {place}"]


def test_every_fault_has_a_line(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written(tmp_path, "name: A\ndataset: {train: 7}\nevaluations: {}"))
    faults = [line.split(":")[0].strip() for line in str(caught.value).splitlines()[1:]]
    assert faults == ["name", "dataset.train", "evaluation", "evaluations"]


def test_a_configuration_does_not_change(tmp_path: pathlib.Path) -> None:
    config = load(written(tmp_path, MINIMAL))
    with pytest.raises(ValueError, match="frozen"):
        config.dataset.name = "another"
