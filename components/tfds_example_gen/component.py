"""Defines the TfdsExampleGen component, which reads labelled text of TensorFlow Datasets (TFDS)."""

from tfx import types
from tfx import v1 as tfx
from tfx.dsl.components.base import executor_spec
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from components.code_digest import source_digest
from components.tfds_example_gen import driver, executor
from components.tfds_example_gen.files import TextFiles

_TFDS_SPLITS = {"train": "train", "eval": "test"}


class TfdsExampleGenSpec(types.ComponentSpec):
    """Inputs, outputs and execution properties of TfdsExampleGen."""

    PARAMETERS = {  # noqa: RUF012 (TFX's convention)
        "dataset": ExecutionParameter(type=str, optional=True),
        "files": ExecutionParameter(type=str, optional=True),
        "text_feature": ExecutionParameter(type=str, optional=True),
        "label_feature": ExecutionParameter(type=str, optional=True),
        "data_dir": ExecutionParameter(type=str, optional=True),
        "builder_module": ExecutionParameter(type=str, optional=True),
        "allow_overlap": ExecutionParameter(type=int),
        "code_digest": ExecutionParameter(type=str),
        # Every ExampleGen of TFX has these; input_config holds the splits.
        standard_component_specs.INPUT_CONFIG_KEY: ExecutionParameter(type=tfx.proto.Input),
        standard_component_specs.OUTPUT_CONFIG_KEY: ExecutionParameter(type=tfx.proto.Output),
        standard_component_specs.OUTPUT_DATA_FORMAT_KEY: ExecutionParameter(type=int),
        standard_component_specs.OUTPUT_FILE_FORMAT_KEY: ExecutionParameter(type=int),
    }
    INPUTS: dict[str, ChannelParameter] = {}  # noqa: RUF012 (TFX's convention)
    OUTPUTS = {  # noqa: RUF012 (TFX's convention)
        standard_component_specs.EXAMPLES_KEY: ChannelParameter(
            type=tfx.types.standard_artifacts.Examples
        ),
    }


class TfdsExampleGen(tfx.types.BaseBeamComponent):
    """Reads labelled text of a TensorFlow Datasets (TFDS) dataset, or of files, as tf.Examples.

    Example::

        example_gen = TfdsExampleGen(
            dataset='imdb_reviews/plain_text:1.0.0',
            splits={'train': 'train[:90%]', 'eval': 'train[90%:]', 'test': 'test'},
        )
        StatisticsGen(examples=example_gen.outputs['examples'])

    Your own files, in CSV, TSV, JSON lines, Parquet or a directory for each class::

        example_gen = TfdsExampleGen(
            files=TextFiles({'data': 'reviews.csv'}, Columns(text='review', label='stars')),
            splits={'train': 'data[:90%]', 'eval': 'data[90%:]'},
        )

    Its output ``examples`` is an Examples artifact with exactly these splits, whose tf.Examples
    have the features ``text`` (bytes) and ``label`` (int64). The artifact's custom properties are
    ``dataset`` (with its version), ``dataset_version``, ``class_names`` (a JSON list),
    ``examples_per_split`` (a JSON object), ``dataset_fingerprint`` and, for files,
    ``file_digests`` (a JSON object of SHA-256 digests by path).
    """

    SPEC_CLASS = TfdsExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
    DRIVER_CLASS = driver.Driver

    def __init__(
        self,
        dataset: str | None = None,
        splits: dict[str, str] | None = None,
        text_feature: str | None = None,
        label_feature: str | None = None,
        data_dir: str | None = None,
        builder_module: str | None = None,
        allow_overlap: bool = False,
        files: TextFiles | None = None,
    ) -> None:
        """Describes the examples to read; nothing is read before the pipeline runs.

        Args:
            dataset: 'name', 'name/config' or 'name/config:version' of a TFDS dataset. Without a
                version, the newest prepared one or, if none is prepared, the one that the
                dataset's code makes.
            splits: For each output split, a TFDS split expression such as 'train[:90%]' or
                'train+test'; None means {'train': 'train', 'eval': 'test'}, or the splits of the
                files.
            text_feature: Name of the text in the dataset; None takes the input of the dataset's
                supervised_keys.
            label_feature: Name of the label in the dataset; None takes the target of the
                supervised_keys.
            data_dir: Directory of prepared datasets; None means the environment variable
                TFDS_DATA_DIR, or else ~/tensorflow_datasets.
            builder_module: Dotted module whose import registers a dataset of your own.
            allow_overlap: Whether two splits may share examples; if not, the driver refuses them.
            files: Files to read instead of a dataset. They become the TFDS dataset
                'text_files/<digest of the files>' in `data_dir`.

        Raises:
            ValueError: There are no splits, TFX or TFDS does not allow the name of one, or not
                exactly one of `dataset` and `files` is given.
        """
        if (dataset is None) == (files is None):
            raise ValueError(
                f"dataset is {dataset!r} and files is {files!r}; expected exactly one of them."
            )
        if splits is None:
            splits = {name: name for name in files.files} if files else _TFDS_SPLITS
        if not splits or not all(splits) or not all(splits.values()):
            raise ValueError(
                f"splits is {splits!r}; expected at least one name with a TFDS split expression, "
                "such as {'train': 'train[:90%]'}."
            )
        artifact_utils.encode_split_names(list(splits))  # Refuses names that TFX does not allow.
        spec = TfdsExampleGenSpec(
            dataset=dataset,
            files=files and files.to_json(),
            text_feature=text_feature,
            label_feature=label_feature,
            data_dir=data_dir,
            builder_module=builder_module,
            allow_overlap=int(allow_overlap),
            code_digest=source_digest("components.tfds_example_gen.executor"),
            input_config=tfx.proto.Input(
                splits=[
                    tfx.proto.Input.Split(name=name, pattern=expression)
                    for name, expression in splits.items()
                ]
            ),
            output_config=tfx.proto.Output(),
            output_data_format=tfx.proto.PayloadFormat.FORMAT_TF_EXAMPLE,
            output_file_format=example_gen_pb2.FORMAT_TFRECORDS_GZIP,
            examples=types.Channel(type=tfx.types.standard_artifacts.Examples),
        )
        super().__init__(spec=spec)
