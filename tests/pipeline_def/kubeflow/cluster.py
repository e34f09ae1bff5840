"""KFP's driver and launcher in small: runs a compiled pipeline, a process for each step.

Each function says of which one of kubeflow/pipelines (at 7b70c7b) it does the work. The object
store is a directory; of it a step sees only what the launcher downloads for it.
"""

import contextlib
import dataclasses
import json
import pathlib
import shutil
import subprocess
import sys
import uuid
from typing import Any

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as ir

RUN = "3f1f0b7c-5a4e-4f0b-9c55-2f8f4a3f9f11"
# Where the launcher keeps minio://BUCKET/…
LAUNCHER = pathlib.Path("/minio")


@dataclasses.dataclass
class Cluster:
    """One run of a pipeline.

    Attributes:
        text: The compiled pipeline.
        store: The object store.
        bucket: Name of its one bucket.
        outputs: For each task that ran, its artifacts and parameters as ML Metadata has them.
    """

    text: str
    store: pathlib.Path
    bucket: str
    outputs: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.spec = next(yaml.safe_load_all(self.text))
        self.tasks = self.spec["root"]["dag"]["tasks"]

    @property
    def local(self) -> pathlib.Path:
        return LAUNCHER / self.bucket

    def order(self) -> list[str]:
        """The tasks, each after those that it depends on."""
        done: list[str] = []
        while len(done) < len(self.tasks):
            done += [
                name
                for name, task in self.tasks.items()
                if name not in done and set(task.get("dependentTasks", [])) <= set(done)
            ]
        return done

    def run(self, name: str) -> None:
        """Func Execute of backend/src/v2/component/launcher_v2.go."""
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
            self._execute(executor["container"], given)
            self._publish(name, given, json.loads(output_file.read_text()))
        finally:
            shutil.rmtree(self.local, ignore_errors=True)
            with contextlib.suppress(OSError):  # Somebody else's bucket is in it.
                LAUNCHER.rmdir()

    def executor_input(self, name: str, component: dict[str, Any]) -> dict[str, Any]:
        """Func resolveInputs and func provisionOutputs of backend/src/v2/driver."""
        inputs = self.tasks[name]["inputs"]
        declared = component["outputDefinitions"]
        root = f"minio://{self.bucket}/v2/artifacts/{self.spec['pipelineInfo']['name']}/{RUN}"
        task_root = f"{root}/{name}/{uuid.uuid4()}"
        logs = {"artifactType": {"schemaTitle": "system.Artifact"}}
        artifacts = {**declared.get("artifacts", {}), "executor-logs": logs}
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
        """Func ToRuntimeArtifact of metadata/client.go: no type, and an id for a name."""
        made = self.outputs[output["producerTask"]][output["outputArtifactKey"]]
        return {**made, "type": {"instanceSchema": ""}}

    def _path(self, uri: str) -> pathlib.Path:
        """Func LocalPathForURI of launcher_v2.go."""
        return LAUNCHER / uri.removeprefix("minio://")

    def _stored(self, uri: str) -> pathlib.Path:
        return self.store / uri.removeprefix("minio://")

    def _download(self, given: dict[str, Any]) -> None:
        """Func downloadArtifacts of launcher_v2.go."""
        for artifacts in given["inputs"]["artifacts"].values():
            uri = artifacts["artifacts"][0]["uri"]
            shutil.copytree(self._stored(uri), self._path(uri), dirs_exist_ok=True)

    def _execute(self, container: dict[str, Any], given: dict[str, Any]) -> None:
        """Func compileCmdAndArgs and func execute of launcher_v2.go."""
        arguments = [text.replace("{{$}}", json.dumps(given)) for text in container["args"]]
        python, *module = container["command"]
        assert python == "python"
        ran = subprocess.run([sys.executable, *module, *arguments], capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr

    def _publish(self, name: str, given: dict[str, Any], output: dict[str, Any]) -> None:
        """Func getExecutorOutputFile, mergeRuntimeArtifacts and uploadOutputArtifacts."""
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
        path = self._path(uri)
        self._stored(uri).parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, self._stored(uri))
        elif path.exists():
            shutil.copy(path, self._stored(uri))
