"""Chooses the runner and the workers of the components that use Beam."""

import os

from apache_beam.options.pipeline_options import StandardOptions
from tfx.dsl.placeholder import placeholder

from pipeline_def.config import Beam

_PYTHON_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"

# For workers in containers, TFX packages its sources for each component, which takes 1.5 s, unless
# an image is named. No worker runs in a container here, so any name will do.
_NO_IMAGE = "--sdk_container_image=local"
_REMOTE = [
    # The pool that `beam_worker` serves on the host of each TaskManager.
    "--environment_type=EXTERNAL",
    "--environment_config=localhost:50000",
    # In seconds; also the deadline of the job's state stream: the default of 60 ends a longer job.
    "--job_server_timeout=86400",
    # Otherwise Beam stages a list of this machine's packages.
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
    """Sets environment variables to the Beam arguments of a pipeline, and returns placeholders.

    TFX's cache key covers Beam's arguments, although the results do not depend on them: with the
    arguments themselves, another runner or number of workers would run every step again.

    Args:
        beam: The configuration's section `beam`.

    Returns:
        The same placeholders for all arguments.
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
