"""Takes the configured pipeline to Kubeflow Pipelines: `python -m pipeline_def.kubeflow submit`."""

import argparse
import os
import pathlib
import sys
from typing import Any

import yaml

from pipeline_def import startup  # noqa: F401  Before TensorFlow is imported.
from pipeline_def.config import PipelineConfig, load
from pipeline_def.kubeflow import following
from pipeline_def.kubeflow.client import Cluster, ClusterError, unique_name

_HOST = "KF_PIPELINES_ENDPOINT"  # As kfp calls it.


def main(words: list[str] | None = None) -> int:
    """Runs the command line.

    Args:
        words: The words after the program's name; those it was started with by default.

    Returns:
        The exit code: 0 if all went well, 1 if something is wrong or the awaited run failed, 130 if
        it was interrupted while it waited.
    """
    options = _parser().parse_args(words)
    try:
        return int(options.command(options))
    except (ValueError, OSError, ClusterError) as error:  # Configuration, argument, file, cluster.
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline_def.kubeflow",
        description="The pipeline that PIPELINE_CONFIG names, on Kubeflow Pipelines.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    compiling = commands.add_parser("compile", help="Write the compiled pipeline to a file.")
    compiling.set_defaults(command=_compile)
    compiling.add_argument(
        "--output", help="A YAML file, or '-' for the terminal. Default: output/NAME.yaml"
    )
    compiling.add_argument("--vertex", action="store_true", help="Compile for Vertex AI.")

    cluster = argparse.ArgumentParser(add_help=False)
    cluster.add_argument(
        "--host",
        default=os.environ.get(_HOST),
        help=f"Address of Kubeflow Pipelines. Default: the environment variable {_HOST}",
    )
    cluster.add_argument("--namespace", help="Your namespace, where each user has one.")
    cluster.add_argument("--token-file", type=pathlib.Path, help="File with a bearer token.")

    uploading = commands.add_parser(
        "upload", parents=[cluster], help="Upload the pipeline, as a new version."
    )
    uploading.set_defaults(command=_upload)

    submitting = commands.add_parser(
        "submit", parents=[cluster], help="Upload the pipeline and start a run of it."
    )
    submitting.set_defaults(command=_submit)
    submitting.add_argument("--experiment", default="Default", help="Default: %(default)s")
    submitting.add_argument("--service-account", help="Kubernetes service account of the steps.")
    submitting.add_argument("--pipeline-root", help="URI of the directory for the run's outputs.")
    submitting.add_argument(
        "--wait", action="store_true", help="Follow the run; exit with 1 if it fails."
    )

    return parser


def _compiled(vertex: bool = False) -> tuple[PipelineConfig, str]:
    from pipeline_def.kubeflow.compiler import compile_pipeline  # TFX takes seconds to import.

    config = load()
    return config, compile_pipeline(config, vertex)


def _compile(options: argparse.Namespace) -> int:
    config, pipeline = _compiled(options.vertex)
    if options.output == "-":
        print(pipeline, end="")
        return 0
    path = pathlib.Path(options.output or f"output/{config.name}.yaml")
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(pipeline, encoding="utf-8")
    unfinished.rename(path)
    print(f"Compiled:    {path}")
    return 0


def _upload(options: argparse.Namespace) -> int:
    cluster = _cluster(options)
    config, pipeline = _compiled()
    _uploaded(cluster, config, pipeline)
    return 0


def _uploaded(cluster: Cluster, config: PipelineConfig, pipeline: str) -> Any:
    version = cluster.upload(pipeline, config.name)
    link = cluster.link(
        "pipelines", "details", version.pipeline_id, "version", version.pipeline_version_id
    )
    print(f"Version:     {version.display_name} {link}")
    return version


def _submit(options: argparse.Namespace) -> int:
    cluster = _cluster(options)
    config, pipeline = _compiled()
    spec = next(yaml.safe_load_all(pipeline))
    run_id = cluster.start(
        _uploaded(cluster, config, pipeline),
        unique_name(config.name),
        options.experiment,
        options.pipeline_root,
        options.service_account,
    )
    link = cluster.link("runs", "details", run_id)
    print(f"Run:         {link}", flush=True)
    if not options.wait:
        return 0
    steps = list(spec["root"]["dag"]["tasks"])
    try:
        run = following.follow(cluster, run_id, steps)
    except KeyboardInterrupt:
        print(f"\nThe run goes on: {link}", file=sys.stderr)
        return 130
    if run.state != "SUCCEEDED":
        failed = following.failed_step(run, steps)
        culprit = f"{failed} failed" if failed else f"The run ended as {run.state}"
        said = f": {run.error.message}" if run.error and run.error.message else ""
        print(f"\n{culprit}{said}; its log is in {link}", file=sys.stderr)
        return 1
    return 0


def _cluster(options: argparse.Namespace) -> Cluster:
    if not options.host:
        raise ValueError(
            "There is no cluster to ask: pass --host with the address of its Kubeflow Pipelines, "
            f"such as https://kubeflow.example.com/pipeline, or set {_HOST}."
        )
    return Cluster(options.host, options.namespace, options.token_file)


if __name__ == "__main__":
    sys.exit(main())
