"""Finding, pinning and preparing of TFDS datasets."""

import http.server
import pathlib
import shutil
import socket
import sys
import textwrap
import threading

import pytest
import tensorflow_datasets as tfds

from components.tfds_example_gen import prepared
from pipeline_def import sample_reviews
from tests.components.tfds_example_gen.conftest import Prepare


def name_of(builder: tfds.core.DatasetBuilder) -> str:
    return builder.get_reference().tfds_name()


def test_newest_prepared_version_is_taken_unless_one_is_named(prepare: Prepare) -> None:
    data_dir = prepare("tiny_plain")
    newer = data_dir / "tiny_plain" / "1.10.0"
    for version in ("1.9.0", "1.10.0"):
        copy = newer.with_name(version)
        shutil.copytree(data_dir / "tiny_plain" / "1.0.0", copy)
        info = copy / "dataset_info.json"
        info.write_text(info.read_text().replace('"1.0.0"', f'"{version}"'))
    names = ("tiny_plain", "tiny_plain:1.0.0", "tiny_plain:1.9.*")
    pinned = [str(prepared.load(name, str(data_dir)).version) for name in names]
    assert pinned == ["1.10.0", "1.0.0", "1.9.0"]


def test_first_config_is_the_default(prepare: Prepare) -> None:
    data_dir = str(prepare("tiny_configured", config="short"))
    assert name_of(prepared.load("tiny_configured", data_dir)) == "tiny_configured/short:1.0.0"


def test_data_dir_may_be_relative_or_in_the_environment(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir = prepare("tiny_plain")
    directory = str(data_dir / "tiny_plain" / "1.0.0")
    monkeypatch.chdir(data_dir.parent)
    assert prepared.load("tiny_plain", data_dir.name).data_dir == directory
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_dir))
    assert prepared.load("tiny_plain").data_dir == directory
    assert prepared.load("tiny_plain", str(prepare("tiny_plain", directory="other"))).data_dir != (
        directory
    )


def test_without_a_data_dir_that_of_tfds_is_taken(
    prepare: Prepare, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir = prepare("tiny_plain", directory="tensorflow_datasets")
    monkeypatch.delenv("TFDS_DATA_DIR")
    monkeypatch.setenv("HOME", str(data_dir.parent))
    assert prepared.load("tiny_plain").data_dir == str(data_dir / "tiny_plain" / "1.0.0")


def test_a_dataset_that_another_run_prepares_meanwhile_is_taken(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    download_and_prepare = sample_reviews.SampleReviews.download_and_prepare

    def second(builder: sample_reviews.SampleReviews) -> None:
        download_and_prepare(sample_reviews.SampleReviews(data_dir=tmp_path))
        download_and_prepare(builder)
        raise FileExistsError(builder.data_dir)  # TFDS renames its directory to this one.

    monkeypatch.setattr(sample_reviews.SampleReviews, "download_and_prepare", second)
    assert prepared.load("sample_reviews", str(tmp_path)).info.splits["train"].num_examples == 3000


def test_a_dataset_that_cannot_be_prepared_says_why_and_how_else(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(builder: sample_reviews.SampleReviews) -> None:
        raise OSError("the server hung up")

    monkeypatch.setattr(sample_reviews.SampleReviews, "download_and_prepare", fail)
    with pytest.raises(FileNotFoundError, match=r"here: the server hung up. .*`tfds build sample"):
        prepared.load("sample_reviews", str(tmp_path))


def test_a_host_that_answers_with_an_error_is_reached(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Refusal(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append(self.path)
            self.send_error(403)

    def fail(builder: sample_reviews.SampleReviews) -> None:
        raise OSError("the server hung up")

    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(sample_reviews.SampleReviews, "download_and_prepare", fail)
    with http.server.HTTPServer(("127.0.0.1", 0), Refusal) as server:
        server.timeout = 10
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/reviews.zip"
        monkeypatch.setattr(sample_reviews.SampleReviews, "url_infos", {url: None})
        with pytest.raises(FileNotFoundError, match="cannot be prepared here: the server hung up"):
            prepared.load("sample_reviews", str(tmp_path))
        thread.join()
    assert asked == ["/reviews.zip"]


def test_dataset_of_ones_own_is_prepared_from_its_module(
    prepare: Prepare, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del prepare
    (tmp_path / "market_reviews_module.py").write_text(
        textwrap.dedent(
            '''
            """Reviews of a market."""
            import numpy as np
            import tensorflow_datasets as tfds

            class MarketReviews(tfds.core.GeneratorBasedBuilder):
                """Two reviews."""
                VERSION = tfds.core.Version("2.1.0")

                def _info(self):
                    return self.dataset_info_from_configs(
                        features=tfds.features.FeaturesDict(
                            {"says": tfds.features.Text(), "stars": np.int64}
                        ),
                        supervised_keys=("says", "stars"),
                    )

                def _split_generators(self, dl_manager):
                    return {"train": self._generate_examples()}

                def _generate_examples(self):
                    yield 0, {"says": "bad", "stars": 0}
                    yield 1, {"says": "good", "stars": 4}
            '''
        )
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    arguments = {"data_dir": str(tmp_path / "new"), "builder_module": "market_reviews_module"}
    assert name_of(prepared.load("market_reviews", **arguments)) == "market_reviews:2.1.0"
    assert name_of(prepared.load("market_reviews", arguments["data_dir"])) == "market_reviews:2.1.0"
    assert "market_reviews_module" in sys.modules


def test_an_empty_split_is_called_that(
    prepare: Prepare, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del prepare
    (tmp_path / "no_reviews_module.py").write_text(
        textwrap.dedent(
            '''
            from tests.components.tfds_example_gen.conftest import TinyPlain

            class NoReviews(TinyPlain):
                """Nothing."""

                def _split_generators(self, dl_manager):
                    return {"train": self._generate_examples(3), "test": iter(())}
            '''
        )
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ValueError, match=r"no_reviews: a split is empty .*expected at least one"):
        prepared.load("no_reviews", str(tmp_path / "new"), "no_reviews_module")
    assert not (tmp_path / "new" / "no_reviews" / "1.0.0").exists()


def test_prepared_data_needs_no_network(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    data_dir = str(prepare("tiny_plain"))

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert name_of(prepared.load("tiny_plain", data_dir)) == "tiny_plain:1.0.0"


def test_unprepared_data_without_network_says_how_to_prepare_it(
    prepare: Prepare, tmp_path: pathlib.Path
) -> None:
    del prepare
    with pytest.raises(FileNotFoundError) as refusal:
        prepared.load("imdb_reviews/plain_text", str(tmp_path / "empty"))
    message = str(refusal.value)
    assert "no answer from ai.stanford.edu" in message
    assert "`tfds build imdb_reviews/plain_text --data_dir=DIR`" in message
    assert str(tmp_path / "empty" / "imdb_reviews" / "plain_text" / "1.0.0") in message
    assert "TFDS_DATA_DIR" in message


@pytest.mark.parametrize("missing", ["dataset_info.json", "features.json"])
def test_incomplete_directory_is_refused(prepare: Prepare, missing: str) -> None:
    data_dir = prepare("tiny_plain")
    (data_dir / "tiny_plain" / "1.0.0" / missing).unlink()
    with pytest.raises(ValueError, match=r"is incomplete.*copy it again"):
        prepared.load("tiny_plain", str(data_dir))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("dataset_info.json", "{", '{"invented": 3,'),
        ("dataset_info.json", "tfrecord", "invented"),
        ("features.json", "text_feature.Text", "text_feature.Invented"),
    ],
)
def test_dataset_of_a_newer_tfds_is_called_that(
    prepare: Prepare, file: str, old: str, new: str
) -> None:
    data_dir = prepare("tiny_plain")
    path = data_dir / "tiny_plain" / "1.0.0" / file
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ValueError, match=r"(?s)newer TFDS than the installed .*: .*nvented") as it:
        prepared.load("tiny_plain", str(data_dir))
    assert "incomplete" not in str(it.value)


@pytest.mark.parametrize("file", ["dataset_info.json", "features.json"])
@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "Expecting value"),
        (b'{"citation": "", ', "Expecting property name"),
        (b"\xff", "'utf-8' codec can't decode"),
        (b"null", "it holds None, expected a JSON object"),
        (b"{}", "it holds {}, expected a JSON object"),
    ],
)
def test_a_damaged_description_is_named(
    prepare: Prepare, file: str, content: bytes, found: str
) -> None:
    for name, config in (("tiny_plain", ""), ("tiny_configured", "short")):
        data_dir = prepare(name, config=config or None)
        path = data_dir / name / config / "1.0.0" / file
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f": {path} is damaged: {found}.*run again, or copy"):
            prepared.load(name, str(data_dir))


@pytest.mark.parametrize("uri", ["s3://bucket/tfds", "hdfs://host/tfds", "file:///tmp", "gs:/b"])
@pytest.mark.parametrize("by", ["argument", "environment"])
def test_uri_that_cannot_be_read_is_refused_by_its_scheme(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, uri: str, by: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TFDS_DATA_DIR", uri)
    with pytest.raises(ValueError, match=f"{uri!r} is a URI of the scheme '{uri.split(':')[0]}'"):
        prepared.load("tiny_plain", uri if by == "argument" else None)
    assert not list(tmp_path.iterdir())


def test_uri_stays_a_uri(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TFDS gets the URI unchanged; a fake `tfds.builder` saves the need for a bucket."""
    paths: list[str] = []
    monkeypatch.chdir(tmp_path)

    def builder(name: str, data_dir: str) -> None:
        paths.append(data_dir)
        raise OSError("no network")

    monkeypatch.setattr(prepared.tfds, "builder", builder)
    with pytest.raises(
        ValueError, match=r"in gs://bucket/tfds/tiny_plain cannot be loaded: no network"
    ):
        prepared.load("tiny_plain", "gs://bucket/tfds")
    assert paths == ["gs://bucket/tfds"]
    assert not list(tmp_path.iterdir())


def test_directory_of_an_interrupted_copy_is_refused(prepare: Prepare) -> None:
    data_dir = prepare("tiny_plain")
    for file in (data_dir / "tiny_plain" / "1.0.0").iterdir():
        file.unlink()
    with pytest.raises(FileNotFoundError, match="holds no complete dataset"):
        prepared.load("tiny_plain", str(data_dir))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("imdb_reveiws", "Unknown dataset 'imdb_reveiws'. Near names: imdb_reviews"),
        ("tiny_plane", "Near names: .*tiny_plain"),
        ("nothing_like_it", "'nothing_like_it'. Near names: none. A dataset of your own needs"),
        ("imdb_reviews/plain_txt", "cannot be loaded: .*plain_txt not found.* plain_text:1.0.0"),
        ("tiny_plain:3.0.0", "cannot be loaded: .* 3.0.0, only: 1.0.0.$"),
        ("tiny_plain:one", "'tiny_plain:one' is not a name of a TFDS dataset"),
    ],
)
def test_unknown_names_are_refused_with_near_ones(
    prepare: Prepare, name: str, message: str
) -> None:
    data_dir = str(prepare("tiny_plain"))
    with pytest.raises(ValueError, match=message):
        prepared.load(name, data_dir)


def test_version_of_a_dataset_without_code_is_refused_with_the_prepared_ones(
    prepare: Prepare,
) -> None:
    directory = prepare("tiny_plain") / "tiny_plain"
    directory.rename(directory.with_name("codeless"))
    with pytest.raises(ValueError, match=r"'codeless:3.0.0' is not prepared: .*codeless has 1.0.0"):
        prepared.load("codeless:3.0.0", str(directory.parent))


def test_module_that_cannot_be_imported_is_refused() -> None:
    with pytest.raises(ValueError, match=r"builder_module 'no.such.module' cannot be imported"):
        prepared.load("tiny_plain", builder_module="no.such.module")
