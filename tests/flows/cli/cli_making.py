"""The command line as people and programs meet it: words in; exit code, output and files out."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flows.cli.main import main
from flows.config.load import parse_config, register_config
from registry.home import Settings
from registry.records.plan import Guards
from registry.records.version import Feature, ModelVersion, TrainingData
from registry.store.registry import Registry

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
WHO = {"actor": "ann", "reason": "a test", "at": NOON}
CHURN = """\
model: churn
task: binary
target: left
features: {numeric: [age], categorical: [plan]}
data: {source: churn.csv, positive: "yes"}
training: {min_rows: 100}
"""
CSV = "age,plan,left\n" + "".join(f"{n % 60},{'ab'[n % 2]},{'yes' if n % 3 else 'no'}\n" for n in range(600))


@dataclass(frozen=True)
class Answer:
    """What one command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    def refused(self, code=2):
        """It said what, why and how to mend it, on standard error alone, and no traceback."""
        assert self.code == code, (self.code, self.err)
        assert self.out == ""
        assert "Traceback" not in self.err
        assert "unexpected" not in self.err
        what, why, *_ = self.err.splitlines()
        assert what.endswith(".")
        assert why.startswith("Why:")
        assert "\nMend: " in self.err
        return self.err


class Terminal:
    """Runs commands in this process."""

    def __init__(self, capsys):
        self._capsys = capsys

    def __call__(self, *words):
        self._capsys.readouterr()
        code = main(words)
        said = self._capsys.readouterr()
        return Answer(code, said.out, said.err)


def tree(folder=None):
    """Every file below, and its size; not what SQLite keeps while it is open."""
    folder = folder or Settings().home
    files = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {
        str(path.relative_to(folder)): path.stat().st_size for path in files if not path.name.endswith(("-wal", "-shm"))
    }


def a_version(version="v1.0.0", **changes):
    fields = {
        "model": "churn",
        "version": version,
        "task": "binary",
        "target": "left",
        "features": (Feature(name="age", kind="numeric"),),
        "algorithm": "linear",
        "metrics": {"loss": 0.2},
        "data": TrainingData(rows=100, start=None, end=NOON, source="table.csv", fingerprint="f" * 64),
        "artifact_digest": "0" * 64,
        "parity": 0.0,
        "created_at": NOON,
        "actor": "ann",
        "reason": "a test",
    }
    return ModelVersion(**fields | changes)


def furnish(*challengers):
    """A registered model with a champion and some challengers."""
    import yaml

    where = Settings().prepare()
    unasked = CHURN + "validation: {enabled: false}\n"  # these versions have no files
    register_config(parse_config(yaml.safe_load(unasked), "test"), where)
    with Registry.open(where.registry_url) as registry:
        for version in ("v1.0.0", *challengers):
            registry.register_version(a_version(version))
        registry.install_first("churn", "v1.0.0", guards=Guards(), salt="churn.first", **WHO)
