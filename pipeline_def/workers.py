"""How Beam runs the work of the Beam-based components on this machine."""

from apache_beam.options.pipeline_options import StandardOptions

from pipeline_def.config import Beam

_PYTHON_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"


def beam_pipeline_args(beam: Beam) -> list[str]:
    """Returns the Beam arguments of a pipeline.

    Args:
        beam: The configuration's section `beam`.

    Returns:
        Command line flags, as TFX's `beam_pipeline_args` takes them.
    """
    return [
        f"--direct_running_mode={beam.direct_running_mode}",
        f"--direct_num_workers={beam.direct_num_workers}",
        # Workers in containers would need TFX's sources, so TFX packages them for each component,
        # 1.5 s each, unless an image is named. No container runs here, so any name does.
        "--sdk_container_image=local",
    ]


def use_python_runner() -> None:
    """Makes the runner of Beam's Python package the default of all Beam pipelines.

    Since Beam 2.61 the DirectRunner prefers Prism, a separate program that it downloads for each
    step. A pipeline option would choose the runner for the components, but not for the pipeline
    that BeamDagRunner itself makes, which has no options.
    """
    StandardOptions.DEFAULT_RUNNER = _PYTHON_RUNNER
