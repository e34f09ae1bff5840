"""How Beam runs the work of the Beam-based components."""

import os

from apache_beam.options.pipeline_options import StandardOptions
from tfx.dsl.placeholder import placeholder

from pipeline_def.config import Beam

_PYTHON_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"

# Workers in containers would need TFX's sources, so TFX packages them for each component, 1.5 s
# each, unless an image is named. No container runs, so any name does.
_NO_IMAGE = "--sdk_container_image=local"
_REMOTE = [
    # A pool of `beam_worker` beside each TaskManager.
    "--environment_type=EXTERNAL",
    "--environment_config=localhost:50000",
    # Also the deadline of a whole job: its default of 60 s ends a longer one.
    "--job_server_timeout=86400",
    # Stages a list of this machine's packages otherwise.
    "--experiments=disable_logging_submission_environment",
]
_ARGUMENTS = {
    "local": [],
    "portable": ["--runner=PortableRunner", *_REMOTE],
    "flink": ["--runner=FlinkRunner", "--flink_submit_uber_jar", *_REMOTE],
}
_VARIABLES = [f"TFX_PIPELINE_BEAM_ARGUMENT_{number}" for number in range(32)]


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
        _NO_IMAGE,
        *_ARGUMENTS[beam.runner],
        *beam.pipeline_args,
    ]


def uncached_beam_pipeline_args(beam: Beam) -> list[placeholder.Placeholder]:
    """Returns the Beam arguments of a pipeline as names of environment variables, which it sets.

    TFX's cache key covers Beam's arguments, and the results do not depend on them: with the
    arguments themselves another runner or number of workers would run every step again.

    Args:
        beam: The configuration's section `beam`.

    Returns:
        Placeholders, always the same number of them.
    """
    arguments = beam_pipeline_args(beam)
    padding = [_NO_IMAGE] * (len(_VARIABLES) - len(arguments))
    os.environ.update(zip(_VARIABLES, [*arguments, *padding], strict=True))
    return [placeholder.environment_variable(variable) for variable in _VARIABLES]


def use_python_runner() -> None:
    """Makes the runner of Beam's Python package the default of all Beam pipelines.

    Since Beam 2.61 the DirectRunner prefers Prism, a separate program that it downloads for each
    step. A pipeline option would choose the runner for the components, but not for the pipeline
    that BeamDagRunner itself makes, which has no options.
    """
    StandardOptions.DEFAULT_RUNNER = _PYTHON_RUNNER
