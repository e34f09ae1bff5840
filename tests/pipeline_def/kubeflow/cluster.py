"""Runs the steps of a compiled pipeline in this process, as KFP's driver and launcher do.

Each function names the function of kubeflow/pipelines that it imitates, as observed when the driver
and launcher of 2.17.0 ran the sample (2026-11-26). The object store is a directory. A step sees
only what the launcher downloads for it.
"""

import dataclasses
import graphlib
import json
import pathlib
import shutil
import uuid
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as ir

from pipeline_def.kubeflow import entrypoint

RUN = "3f1f0b7c-5a4e-4f0b-9c55-2f8f4a3f9f11"
# Outputs that the driver adds: the first since 2.5, the second, one per loop iteration, since
# 2.16.1.
LOGS = ("executor-logs", "executor-logs-0")


@dataclasses.dataclass
class Cluster:
    """One run of a pipeline.

    Attributes:
        text: The compiled pipeline.
        store: The object store.
        local: The directory that replaces the container's /minio, where the launcher keeps
            minio://BUCKET/….
        outputs: For each task that ran, its artifacts and parameters as ML Metadata has them.
    """

    text: str
    store: pathlib.Path
    local: pathlib.Path
    outputs: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.spec = next(yaml.safe_load_all(self.text))
        self.tasks = self.spec["root"]["dag"]["tasks"]

    def order(self) -> list[str]:
        """Returns the tasks, each after those that it depends on."""
        graph = {name: task.get("dependentTasks", []) for name, task in self.tasks.items()}
        return list(graphlib.TopologicalSorter(graph).static_order())

    def run(self, name: str) -> None:
        """Runs a task, like func Execute of backend/src/v2/component/launcher_v2.go."""
        component = self.spec["components"][self.tasks[name]["componentRef"]["name"]]
        executor = self.spec["deploymentSpec"]["executors"][component["executorLabel"]]
        if "importer" in executor:  # See importer_launcher.go.
            uri = executor["importer"]["artifactUri"]["constant"]
            (key,) = component["outputDefinitions"]["artifacts"]
            self.outputs[name] = {key: {"name": "7", "uri": uri, "metadata": {}}}
            return
        given = self.executor_input(name, component)
        try:
            self._download(given)
            output_file = pathlib.Path(given["outputs"]["outputFile"])
            output_file.parent.mkdir(parents=True)
            # Like func compileCmdAndArgs and func execute.
            arguments = executor["container"]["args"]
            entrypoint.main([text.replace("{{$}}", json.dumps(given)) for text in arguments])
            self._publish(name, given, json.loads(output_file.read_text()))
        finally:
            shutil.rmtree(self.local, ignore_errors=True)

    def executor_input(self, name: str, component: dict[str, Any]) -> dict[str, Any]:
        """Returns the ExecutorInput, like resolveInputs and provisionOutputs of v2/driver."""
        inputs = self.tasks[name]["inputs"]
        declared = component["outputDefinitions"]
        run = f"minio://mlpipeline/v2/artifacts/{self.spec['pipelineInfo']['name']}/{RUN}"
        task_root = f"{run}/{name}/{uuid.uuid4()}"
        logs = {key: {"artifactType": {"schemaTitle": "system.Artifact"}} for key in LOGS}
        artifacts = {**declared.get("artifacts", {}), **logs}
        return {
            "inputs": {
                "parameterValues": {
                    key: self._parameter(source)
                    for key, source in inputs.get("parameters", {}).items()
                },
                "artifacts": {
                    key: {"artifacts": [self._artifact(source["taskOutputArtifact"])]}
                    for key, source in inputs.get("artifacts", {}).items()
                },
            },
            "outputs": {
                "parameters": {
                    key: {"outputFile": f"/tmp/kfp/outputs/{key}"}
                    for key in declared.get("parameters", {})
                },
                "artifacts": {
                    key: {
                        "artifacts": [
                            {
                                "name": key,
                                "uri": f"{task_root}/{key}",
                                "type": artifact["artifactType"],
                            }
                        ]
                    }
                    for key, artifact in artifacts.items()
                },
                "outputFile": f"{self._path(task_root)}/output_metadata.json",
            },
        }

    def _parameter(self, source: dict[str, Any]) -> Any:
        if "runtimeValue" in source:
            return source["runtimeValue"]["constant"]
        output = source["taskOutputParameter"]
        return self.outputs[output["producerTask"]][output["outputParameterKey"]]

    def _artifact(self, output: dict[str, Any]) -> dict[str, Any]:
        """Returns an input without a type, named by an id, like func ToRuntimeArtifact."""
        made = self.outputs[output["producerTask"]][output["outputArtifactKey"]]
        return {**made, "type": {"instanceSchema": ""}}

    def _path(self, uri: str) -> pathlib.Path:
        """Returns the local path of a URI, like func LocalPathForURI of launcher_v2.go."""
        return self.local / uri.removeprefix("minio://")

    def stored(self, uri: str) -> pathlib.Path:
        return self.store / uri.removeprefix("minio://")

    def _download(self, given: dict[str, Any]) -> None:
        """Downloads the inputs, like func downloadArtifacts of launcher_v2.go."""
        for artifacts in given["inputs"]["artifacts"].values():
            uri = artifacts["artifacts"][0]["uri"]
            shutil.copytree(self.stored(uri), self._path(uri), dirs_exist_ok=True)

    def _publish(self, name: str, given: dict[str, Any], output: dict[str, Any]) -> None:
        """Uploads and records the outputs, like mergeRuntimeArtifacts and uploadOutputArtifacts."""
        json_format.ParseDict(output, ir.ExecutorOutput())  # Unknown fields are refused.
        results: dict[str, Any] = {}
        for key in given["outputs"]["parameters"]:
            results[key] = output["parameterValues"][key]
        for key, artifacts in given["outputs"]["artifacts"].items():
            artifact = artifacts["artifacts"][0]
            written = output.get("artifacts", {}).get(key, {}).get("artifacts", [{}])[0]
            artifact["uri"] = written.get("uri") or artifact["uri"]
            metadata = written.get("metadata", {})
            assert None not in metadata.values(), f"{name} {key}: {metadata}"
            self._upload(artifact["uri"])
            results[key] = {
                "name": str(len(self.outputs) * 100 + len(results)),
                "uri": artifact["uri"],
                "metadata": {"display_name": key, "store_session_info": "{}", **metadata},
            }
        self.outputs[name] = results

    def _upload(self, uri: str) -> None:
        """Uploads files only: as in an object store, an empty directory is lost."""
        path = self._path(uri)
        files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
        for file in files:
            stored = self.stored(uri) / file.relative_to(path)
            stored.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, stored)
