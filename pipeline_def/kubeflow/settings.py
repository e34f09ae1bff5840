"""The section `kubeflow` of a configuration; importable without TFX and KFP.

KFP's server passes names, sizes and labels on to Kubernetes unchecked, where a wrong one fails in
the middle of a run. They are therefore checked here.
"""

import re
from typing import Annotated, Literal

import pydantic
from pydantic import Field, NonNegativeInt, PositiveInt


def _matches(pattern: str, expected: str, reason: str = "") -> pydantic.AfterValidator:
    """Returns a check like `Field(pattern=…)`, with a message that says what is expected."""

    def require(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(f"expected {expected}, found {text!r}.{reason}")
        return text

    return pydantic.AfterValidator(require)


# HOST:PORT/PATH:TAG or HOST:PORT/PATH@DIGEST, see github.com/distribution/reference.
_PINNED_IMAGE = (
    r"([a-zA-Z0-9.-]+(:\d+)?/)?[a-z0-9][a-z0-9/._-]*"
    r"(:(?!latest$)\w[\w.-]{0,127}|(:\w[\w.-]{0,127})?@sha256:[0-9a-f]{64})"
)
PinnedImage = Annotated[
    str,
    _matches(
        _PINNED_IMAGE,
        "an image with a fixed tag or a digest, such as registry.example.com/x:1.0.0",
        " Kubeflow's cache tells code apart by its image alone.",
    ),
]
# At least one digit is not 0.
_SIZE = r"(?=[\d.]*[1-9])\d+(\.\d+)?([kMGTPE]|[KMGTPE]i)?"
Size = Annotated[str, _matches(_SIZE, "a size such as 16Gi or 500M")]
# TensorFlow has a file system for gs:// only.
_STEP_PATH = "a path in the steps' containers, such as /data on a volume, or a gs:// URI"
StepPath = Annotated[str, _matches("(/|gs://).*", _STEP_PATH)]
ObjectStoreUri = Annotated[str, _matches("(gs|s3|minio)://.*", "a gs://, s3:// or minio:// URI")]
# Kubernetes' rules for the names of objects, of devices and labels, and for a label's value.
ObjectName = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")]
QualifiedName = Annotated[
    str, Field(pattern=r"^([a-z0-9][-a-z0-9.]*/)?[a-zA-Z0-9]([-a-zA-Z0-9_.]{0,61}[a-zA-Z0-9])?$")
]
LabelValue = Annotated[str, Field(pattern=r"^([a-zA-Z0-9]([-a-zA-Z0-9_.]{0,61}[a-zA-Z0-9])?)?$")]
SecretKey = Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$")]
Variable = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]


class _Section(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Volume(_Section):
    """A persistent volume that every step sees."""

    claim: ObjectName
    """Name of the PersistentVolumeClaim."""
    mount_path: Annotated[str, Field(pattern="^/[^:]+$")]
    """Directory in the steps' containers."""


class Toleration(_Section):
    """A taint of nodes that a step tolerates."""

    key: QualifiedName | None = None
    """Key of the taint; ``None``: every taint, with the operator ``Exists``."""
    operator: Literal["Equal", "Exists"] = "Equal"
    value: LabelValue | None = None
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint; ``None``: every effect."""

    @pydantic.model_validator(mode="after")
    def _require_what_kubernetes_does(self) -> "Toleration":
        # ValidateTolerations of kubernetes/pkg/apis/core/validation/validation.go.
        if self.operator == "Exists" and self.value:
            raise ValueError(f"expected no value with the operator Exists, found {self.value!r}.")
        if self.operator == "Equal" and self.key is None:
            raise ValueError("expected a key, or the operator Exists to tolerate every taint.")
        return self


class Secret(_Section):
    """A Kubernetes secret whose keys every step has as environment variables."""

    name: ObjectName
    environment: dict[SecretKey, Variable]
    """The environment variable for each key of the secret."""


class StepSettings(_Section):
    """Resources and placement of a step on a cluster."""

    cpu: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """Limit in cores; ``None``: the namespace's default."""
    memory: Size | None = None
    """Limit in bytes, as Kubernetes writes them: ``16Gi``, ``500M``; ``None``: the namespace's
    default."""
    accelerator: QualifiedName | None = None
    """Kubernetes' name of a device, such as ``nvidia.com/gpu``."""
    accelerators: PositiveInt = 1
    """Number of these devices."""
    node_selector: dict[QualifiedName, LabelValue] = {}
    """Labels of the nodes that the step may run on."""
    tolerations: list[Toleration] = []
    shared_memory: Size | None = None
    """Size of ``/dev/shm``, a part of `memory`; ``None``: the container runtime's, often 64 MB."""
    retries: NonNegativeInt = 0
    """Number of times that a failed step is tried again."""
    caching: bool = True
    """Whether KFP's cache may serve the step. It never serves ``Dataset``, ``Pusher``, or
    ``ProjectorExporter`` with a `publish_dir`."""


class Kubeflow(_Section):
    """How the pipeline runs on Kubeflow Pipelines."""

    image: PinnedImage | None = None
    """Image of the steps, with a tag other than ``latest`` or a digest; required to compile."""
    pipeline_root: ObjectStoreUri | None = None
    """Where a run keeps its artifacts; ``None``: the cluster's default."""
    data_dir: StepPath | None = None
    """Replaces ``dataset.data_dir`` in the steps. With neither, they use the ``TFDS_DATA_DIR`` of
    the image or TFDS's own default, where each run prepares the dataset anew."""
    publish_dir: StepPath | None = None
    """Replaces the pipeline's ``publish_dir`` in the steps."""
    push_destination: StepPath | None = None
    """Where blessed models are pushed; ``None``: there is no Pusher."""
    baseline_model: ObjectStoreUri | None = None
    """URI of the Model artifact that a new model is compared with; ``None``: no comparison."""
    volumes: list[Volume] = []
    secrets: list[Secret] = []
    defaults: StepSettings = StepSettings()
    """Settings of every step."""
    steps: dict[str, StepSettings] = {}
    """Settings of single steps by name, such as ``EmbeddingTrainer``. A field that is set here
    replaces that of `defaults`."""

    @pydantic.field_validator("volumes")
    @classmethod
    def _require_different(cls, volumes: list[Volume]) -> list[Volume]:
        # KFP names a volume in the pod by its claim.
        for field in ("claim", "mount_path"):
            found = [getattr(volume, field) for volume in volumes]
            if len(set(found)) < len(found):
                raise ValueError(f"expected a different {field} for each volume, found {found}.")
        return volumes

    @pydantic.model_validator(mode="after")
    def _require_kind_of_accelerators(self) -> "Kubeflow":
        for name in ("defaults", *self.steps):
            step = self.of_step(name)
            if step.accelerators > 1 and not step.accelerator:
                raise ValueError(f"accelerators of {name}: expected an accelerator with it.")
        return self

    def of_step(self, name: str) -> StepSettings:
        """Returns the settings of a step: its own over the defaults."""
        own = self.steps.get(name, StepSettings())
        changes = {field: getattr(own, field) for field in own.model_fields_set}
        return self.defaults.model_copy(update=changes)
