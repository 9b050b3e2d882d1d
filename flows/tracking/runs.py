"""Write entries as runs, so that doing it twice is the same as doing it once."""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from flows.tracking.entry import EXPERIMENTS, DataSet, Entry, Trial
from flows.tracking.signature import write_model
from registry.records.base import utc
from registry.records.version import ModelVersion

ENTRY, ORIGIN = "understudy.entry", "understudy.origin"
"""Tags by which a run is found again."""
_PER_CALL = 100
_PARAM, _TAG, _NAME = 6000, 5000, 250  # characters that servers take


class Runs:
    """The runs of one state folder in one store."""

    def __init__(self, client: Any, origin: str, artifacts: Path | None) -> None:
        self._client = client
        self._origin = origin
        self._artifacts = artifacts
        self._experiments: dict[str, str] = {}

    def deliver(self, entry: Entry, files: Mapping[str, bytes]) -> str:
        """
        Write *entry* into its run, which is made if there is none.

        Killed anywhere in between, the same call completes it.

        Returns:
            The run's id in MLflow.
        """
        experiment = self._experiment(entry.experiment)
        run = self._only(experiment, entry.run) or self._create(experiment, entry)
        run_id = str(run.info.run_id)
        self._log(run, entry.params, entry.tags, entry.metrics, entry.at)
        self._log_trials(experiment, run_id, entry)
        if entry.data is not None:
            self._client.log_inputs(run_id, datasets=[_input(entry.data)])
        self._log_files(run_id, files, entry.version)
        if entry.status != "RUNNING":
            self._client.set_terminated(run_id, entry.status, _millis(entry.ended or entry.at))
        return str((self._only(experiment, entry.run) or run).info.run_id)

    def find(self, experiment: str, run: str) -> str | None:
        """Id in MLflow of a run that was delivered before, all of it."""
        found = self._only(self._experiment(experiment), run)
        return str(found.info.run_id) if found and found.info.status != "RUNNING" else None

    def _only(self, experiment: str, name: str) -> Any | None:
        """
        Look a run up.

        Of several, which a server leaves that answered too late, one stays: the one that was completed, if any.
        """
        where = f"tags.`{ENTRY}` = '{_key(name)}' and tags.`{ORIGIN}` = '{self._origin}'"
        found = list(self._client.search_runs([experiment], where, max_results=10))
        if not found:
            return None
        first, *others = sorted(found, key=lambda run: (run.info.status == "RUNNING", run.info.run_id))
        for other in others:
            self._client.delete_run(other.info.run_id)
        return first

    def _create(self, experiment: str, entry: Entry) -> Any:
        tags = self._identity(entry.run) | {"model": entry.model, "mlflow.source.name": "understudy"}
        return self._client.create_run(experiment, _millis(entry.at), tags, entry.name[:_NAME])

    def _identity(self, name: str) -> dict[str, str]:
        return {ENTRY: _key(name), ORIGIN: self._origin}

    def _experiment(self, name: str) -> str:
        """Look an experiment up; make all five together, so that people find them before their first run."""
        if name not in self._experiments:
            self._experiments = {one: self._opened(one) for one in EXPERIMENTS}
        return self._experiments[name]

    def _opened(self, name: str) -> str:
        known = self._client.get_experiment_by_name(name)
        place = (self._artifacts / name).as_uri() if self._artifacts else None
        return str(known.experiment_id if known else self._client.create_experiment(name, place))

    def _log(
        self, run: Any, params: Mapping[str, str], tags: Mapping[str, str], metrics: Mapping[str, float], at: datetime
    ) -> None:
        """Add what the run does not have; parameters can never be changed."""
        from mlflow.entities import Metric, Param, RunTag

        new = [Param(_name(name), value[:_PARAM]) for name, value in params.items()]
        new = [param for param in new if param.key not in run.data.params]
        marks = [RunTag(_name(name), value[:_TAG]) for name, value in tags.items()]
        points = [Metric(_name(name), value, _millis(at), 0) for name, value in metrics.items()]
        for start in range(0, max(len(new), len(marks), len(points)), _PER_CALL):
            part = slice(start, start + _PER_CALL)
            self._client.log_batch(run.info.run_id, points[part], new[part], marks[part])

    def _log_trials(self, experiment: str, parent: str, entry: Entry) -> None:
        """One nested run each; those that are complete already are left alone."""
        if not entry.trials:
            return
        known = {run.data.tags.get(ENTRY): run for run in self._children(experiment, parent)}
        for trial in entry.trials:
            name = f"{entry.run}/trial/{trial.family}-{trial.number}"
            run = known.get(_key(name)) or self._create_trial(experiment, parent, name, entry, trial)
            if run.info.status == "RUNNING":
                self._complete_trial(run, entry, trial)

    def _create_trial(self, experiment: str, parent: str, name: str, entry: Entry, trial: Trial) -> Any:
        tags = self._identity(name) | {"mlflow.parentRunId": parent, "model": entry.model, "state": trial.state}
        return self._client.create_run(experiment, _millis(entry.at), tags, f"{trial.family} {trial.number + 1}")

    def _complete_trial(self, run: Any, entry: Entry, trial: Trial) -> None:
        params = {"family": trial.family} | {name: str(value) for name, value in trial.params.items()}
        known = {"loss": trial.loss, "duration_s": trial.duration_s}
        metrics = {name: value for name, value in known.items() if value is not None}
        self._log(run, params, {}, metrics, entry.at)
        status = "FINISHED" if trial.state == "complete" else "KILLED"
        self._client.set_terminated(run.info.run_id, status, _millis(entry.at) + round(1000 * (trial.duration_s or 0)))

    def _children(self, experiment: str, parent: str) -> Iterator[Any]:
        where, token = f"tags.`mlflow.parentRunId` = '{parent}'", None
        while True:
            page = self._client.search_runs([experiment], where, max_results=500, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _log_files(self, run_id: str, files: Mapping[str, bytes], version: ModelVersion | None) -> None:
        if not files and version is None:
            return
        with tempfile.TemporaryDirectory(prefix="understudy-tracking-") as place:
            folder = Path(place)
            for name, content in files.items():
                file = folder / Path(name).name
                file.write_bytes(content)
            if version is not None:
                write_model(version, run_id, folder)
            self._client.log_artifacts(run_id, str(folder))


def _name(name: str) -> str:
    """
    What MLflow accepts as a name.

    Example:
        >>> _name("primary.auc (DeLong).low")
        'primary.auc DeLong.low'
    """
    return re.sub(r"[^\w.\- :]", "", name)[:_NAME]


def _key(name: str) -> str:
    """A search knows no way to write a quote."""
    return name.replace("'", "_")[:_TAG]


def _millis(moment: datetime) -> int:
    return max(0, round(utc(moment).timestamp() * 1000))


def _input(data: DataSet) -> Any:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    profile = json.dumps({"num_rows": data.rows})
    dataset = Dataset(data.name, data.fingerprint[:36], "understudy", data.source, None, profile)
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])
