"""Runs the configured pipeline on Kubeflow Pipelines: `python -m pipeline_def.kubeflow submit`."""

import argparse
import logging
import os
import pathlib
import sys
import warnings

import yaml

from pipeline_def import startup  # noqa: F401  Before TensorFlow is imported.
from pipeline_def.config import PipelineConfig, load
from pipeline_def.kubeflow.client import Cluster, ClusterError, Launch, six_fields, unique_name
from pipeline_def.kubeflow.wait_for_run import failed_step, wait_for_run

_HOST = "KF_PIPELINES_ENDPOINT"  # The variable that kfp reads.


def main(words: list[str] | None = None) -> int:
    """Runs the command line.

    Args:
        words: The words after the program's name; None for those of the process.

    Returns:
        The exit code: 0 if all went well, 1 if something is wrong or the awaited run failed, 130 if
        the wait was interrupted.
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
    submitting.add_argument(
        "--pipeline-root",
        help="URI of the directory for the run's outputs. Default: kubeflow.pipeline_root",
    )
    submitting.add_argument(
        "--cron",
        metavar='"MINUTE HOUR DAY MONTH WEEKDAY"',
        help="Run it at these times in place of once; replaces the recurring run of its name.",
    )
    submitting.add_argument(
        "--disable", action="store_true", help="With --cron: create it, but do not start it yet."
    )
    submitting.add_argument(
        "--wait", action="store_true", help="Wait for the run; exit with 1 if it fails."
    )

    recurring = commands.add_parser(
        "recurring", parents=[cluster], help="List the recurring runs, or delete one."
    )
    recurring.set_defaults(command=_recurring)
    recurring.add_argument("--delete", metavar="NAME", help="Delete the recurring run NAME.")
    return parser


def _compiled() -> tuple[PipelineConfig, str]:
    from pipeline_def.kubeflow.compiler import compile_pipeline  # Importing TFX takes seconds.

    config = load()
    return config, compile_pipeline(config)


def _compile(options: argparse.Namespace) -> int:
    config, pipeline = _compiled()
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
    cluster.upload(pipeline, config.name)  # kfp prints where to see it.
    return 0


def _submit(options: argparse.Namespace) -> int:
    cron = None if options.cron is None else six_fields(options.cron)
    if options.disable and not cron:
        raise ValueError("--disable: expected --cron with it; there is nothing else to disable.")
    if cron and options.wait:
        raise ValueError("--wait: a recurring run has no end to wait for.")
    cluster = _cluster(options)
    config, pipeline = _compiled()
    launch = Launch(
        cluster.upload(pipeline, config.name),
        options.experiment,
        options.pipeline_root or config.kubeflow.pipeline_root,
        options.service_account,
    )
    if cron:
        cluster.repeat(launch, config.name, cron, enabled=not options.disable)
        return _list_recurring(cluster)
    run_id = cluster.start(launch, unique_name(config.name))
    return _wait(cluster, run_id, pipeline) if options.wait else 0


def _recurring(options: argparse.Namespace) -> int:
    cluster = _cluster(options)
    if options.delete:
        runs = cluster.recurring(options.delete)
        if not runs:
            raise ValueError(f"--delete: there is no recurring run {options.delete!r}.")
        cluster.delete_recurring(runs)
    return _list_recurring(cluster)


def _list_recurring(cluster: Cluster) -> int:
    for run in cluster.recurring():
        cron = run.trigger.cron_schedule.cron if run.trigger.cron_schedule else "at intervals"
        print(f"{run.display_name:<20} {cron:<20} {run.status.lower()}")
    return 0


def _wait(cluster: Cluster, run_id: str, pipeline: str) -> int:
    steps = list(next(yaml.safe_load_all(pipeline))["root"]["dag"]["tasks"])
    try:
        run = wait_for_run(cluster, run_id, steps)
    except KeyboardInterrupt:
        print(f"\nThe run {run_id} goes on.", file=sys.stderr)
        return 130
    if run.state == "SUCCEEDED":
        return 0
    failed = failed_step(run, steps)
    culprit = f"{failed} failed" if failed else f"The run ended as {run.state}"
    said = f": {run.error.message}" if run.error and run.error.message else ""
    print(f"\n{culprit}{said}. See the details of the run above for its log.", file=sys.stderr)
    return 1


def _cluster(options: argparse.Namespace) -> Cluster:
    if not options.host:
        raise ValueError(
            "There is no cluster to ask: pass --host with the address of its Kubeflow Pipelines, "
            f"such as https://kubeflow.example.com/pipeline, or set {_HOST}."
        )
    return Cluster(options.host, options.namespace, options.token_file)


if __name__ == "__main__":
    # kfp warns of servers before 2.0, urllib3 of each attempt that fails.
    warnings.simplefilter("ignore", FutureWarning)
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    sys.exit(main())
