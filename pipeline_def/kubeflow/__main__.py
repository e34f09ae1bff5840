"""Runs the configured pipeline on Kubeflow Pipelines: `python -m pipeline_def.kubeflow submit`."""

import argparse
import logging
import os
import pathlib
import sys
import warnings

import kfp_server_api
import urllib3
import yaml

from pipeline_def import startup  # noqa: F401  Before TensorFlow is imported.
from pipeline_def.config import PipelineConfig, load
from pipeline_def.kubeflow.client import Client, refusal, unique_name
from pipeline_def.kubeflow.wait_for_run import wait_for_run

_HOST = "KF_PIPELINES_ENDPOINT"  # The variable that kfp reads.


def main(words: list[str] | None = None) -> int:
    """Runs the command line.

    Args:
        words: The arguments; None for those of the process.

    Returns:
        The exit code: 0 if all went well, 1 if something is wrong or the awaited run failed, 130 if
        the wait was interrupted.

    Raises:
        SystemExit: The command line is wrong.
    """
    options = _parser().parse_args(words)
    try:
        return int(options.command(options))
    except kfp_server_api.ApiException as error:
        print(f"{options.host} {refusal(error)}", file=sys.stderr)
    except urllib3.exceptions.HTTPError as error:
        reason = str(getattr(error, "reason", error)).rpartition(">: ")[2]  # Without a repr.
        print(f"{options.host} does not answer: {reason}", file=sys.stderr)
    except (ValueError, OSError) as error:  # Configuration, argument, file.
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
        required=not os.environ.get(_HOST),
        help="Address of Kubeflow Pipelines, such as https://kubeflow.example.com/pipeline. "
        f"Default: the environment variable {_HOST}",
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
    once_or_often = submitting.add_mutually_exclusive_group()
    once_or_often.add_argument(
        "--wait", action="store_true", help="Wait for the run; exit with 1 if it fails."
    )
    once_or_often.add_argument(
        "--cron",
        type=_with_seconds,
        metavar='"MINUTE HOUR DAY MONTH WEEKDAY"',
        help="Run it at these times in place of once; replaces the recurring run of its name.",
    )
    submitting.add_argument(
        "--disable", action="store_true", help="With --cron: create it, but do not start it yet."
    )

    recurring = commands.add_parser(
        "recurring", parents=[cluster], help="List the recurring runs, or delete one."
    )
    recurring.set_defaults(command=_recurring)
    recurring.add_argument("--delete", metavar="NAME", help="Delete the recurring run NAME.")
    return parser


def _with_seconds(cron: str) -> str:
    # KFP would read the first of five fields as seconds: "0 3 * * *" would run at three minutes
    # past every hour (kubeflow/kubeflow#5306).
    if len(cron.split()) != 5:
        raise argparse.ArgumentTypeError(
            "expected five fields, minute, hour, day of the month, month and day of the week, such "
            f"as '0 3 * * *'; found {cron!r}."
        )
    return f"0 {cron}"


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
    client = _client(options)
    config, pipeline = _compiled()
    client.upload(pipeline, config.name)  # kfp prints where to see it.
    return 0


def _submit(options: argparse.Namespace) -> int:
    if options.disable and not options.cron:
        raise ValueError("--disable: expected --cron with it; there is nothing else to disable.")
    client = _client(options)
    config, pipeline = _compiled()
    arguments = client.arguments(
        client.upload(pipeline, config.name),
        options.experiment,
        config.kubeflow.pipeline_root,
        options.service_account,
    )
    if options.cron:
        client.repeat(config.name, options.cron, not options.disable, arguments)
        return _list_recurring(client)
    run = client.run_pipeline(job_name=unique_name(config.name), **arguments)
    return _wait(client, run.run_id, pipeline) if options.wait else 0


def _recurring(options: argparse.Namespace) -> int:
    client = _client(options)
    if options.delete:
        runs = client.recurring(options.delete)
        if not runs:
            raise ValueError(f"--delete: there is no recurring run {options.delete!r}.")
        for run in runs:
            client.delete_recurring_run(run.recurring_run_id)
    return _list_recurring(client)


def _list_recurring(client: Client) -> int:
    for run in client.recurring():
        cron = run.trigger.cron_schedule.cron if run.trigger.cron_schedule else "at intervals"
        print(f"{run.display_name:<20} {cron:<20} {run.status.lower()}")
    return 0


def _wait(client: Client, run_id: str, pipeline: str) -> int:
    steps = list(next(yaml.safe_load_all(pipeline))["root"]["dag"]["tasks"])
    try:
        run = wait_for_run(client, run_id, steps)
    except KeyboardInterrupt:
        print(f"\nThe run {run_id} goes on.", file=sys.stderr)
        return 130
    if run.state == "SUCCEEDED":
        return 0
    said = f", {run.error.message}" if run.error and run.error.message else ""
    print(
        f"\nThe run ended as {run.state}{said}. See the run's details, above, for its log.",
        file=sys.stderr,
    )
    return 1


def _client(options: argparse.Namespace) -> Client:
    return Client(options.host, options.namespace, options.token_file)


if __name__ == "__main__":
    warnings.simplefilter("ignore", FutureWarning)  # kfp's, of servers before 2.0.
    logging.disable(logging.ERROR)  # urllib3 and kfp log failures that `main` reports.
    sys.exit(main())
