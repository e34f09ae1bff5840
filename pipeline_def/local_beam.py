"""Beam on this machine."""

from apache_beam.options.pipeline_options import StandardOptions

_RUNNER = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"


def use_own_runner() -> None:
    """Makes the runner that comes with Beam's Python package the default of all pipelines.

    Until 2.60 that is what a DirectRunner is. Later ones look first for another program, Prism,
    which they download: from no network, at every step anew. An option of the pipeline would do
    for the components, but TFX's Beam engine makes a pipeline without any.
    """
    StandardOptions.DEFAULT_RUNNER = _RUNNER
