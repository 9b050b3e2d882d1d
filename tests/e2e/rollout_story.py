"""Two fitted models, callers that never stop, and people who are told: what the stories of a rollout need."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import yaml
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops.io import dump

from flows.client import RouterClient
from flows.errors import FlowsError
from flows.ops.ports import free_port
from registry.home import Settings

FEATURES = ["calls", "bills"]


def configuration(model: str, urls: list[str]) -> dict[str, Any]:
    """The advised strategy, 8,640 times as fast: a day takes ten seconds."""
    return {
        "model": model,
        "task": "binary",
        "target": "left",
        "features": {"numeric": FEATURES, "categorical": []},
        "data": {"time": "at"},
        "promotion": {"metric": "log_loss", "min_labelled": 100},
        "rollout": {"strategy": "shadow+canary", "speed": 8640, "shadow": {"min": "1d", "max": "14d"}},
        "approval": {"remind": "30d", "expire": "60d"},
        "watch": {"duration": "6d"},
        "validation": {"latency_ms": 2000.0},
        "notify": {"urls": urls},
    }


def table(rows: int, seed: int, *, bills: float = 1.0) -> pl.DataFrame:
    """Who left: as many calls and bills say; *bills* turns what bills mean."""
    dice = np.random.default_rng(seed)
    x = dice.normal(size=(rows, 2))
    left = (x[:, 0] + 2.0 * bills * x[:, 1] + dice.normal(0, 0.7, rows) > 0).astype(int)
    at = time.time() - 86_400 - 60.0 * np.arange(rows)[::-1]
    return pl.DataFrame({"calls": x[:, 0], "bills": x[:, 1], "at": at, "left": left})


def fitted(folder: Path) -> tuple[Path, Path, Path]:
    """Files of a champion that never understood bills, a challenger that does, and the holdout."""
    train, holdout = table(3000, 1), table(1500, 2)
    holdout.write_parquet(folder / "holdout.parquet")
    blind = train.with_columns(bills=pl.col("bills").shuffle(seed=3))
    files = []
    for name, rows in (("champion", blind), ("challenger", train)):
        pipeline = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
        pipeline.fit(pd.DataFrame(rows.select(FEATURES).to_dict(as_series=False)), rows["left"].to_numpy())
        dump(pipeline, folder / f"{name}.skops")
        files.append(folder / f"{name}.skops")
    return files[0], files[1], folder / "holdout.parquet"


def write_configuration(folder: Path, model: str, urls: list[str], changes: dict[str, Any]) -> Path:
    """The model's YAML file; *changes* are other sections."""
    file = folder / f"{model}.yaml"
    file.write_text(yaml.safe_dump(configuration(model, urls) | changes))
    return file


@dataclass(frozen=True, slots=True)
class Asked:
    """One answered caller."""

    at: float
    key: str
    variant: str
    version: str
    epoch: int
    reason: str


@dataclass
class Callers:
    """
    A thread that asks, and tells what became of everybody.

    Attributes:
        asked: Every answer, in order.
        failed: Every request that was not answered.
        bills: What bills mean to those who are asked from now on; -1 turns the world.
        turned_at: When that was.
    """

    settings: Settings
    model: str
    rows: int = 25
    asked: list[Asked] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    bills: float = 1.0
    turned_at: float = 0.0
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextlib.contextmanager
    def calling(self) -> Iterator["Callers"]:
        """Call until the end of the block."""
        thread = threading.Thread(target=self._call, name="callers")
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join(30)

    def turn(self) -> None:
        """From now on the challenger's best feature misleads it."""
        self.bills, self.turned_at = -1.0, time.time()

    def since(self, moment: float) -> list[Asked]:
        """Answers after *moment*."""
        return [one for one in list(self.asked) if one.at >= moment]

    def _call(self) -> None:
        number = 0
        with RouterClient(self.settings) as client:
            while not self._stop.is_set():
                number += 1
                began = time.monotonic()
                self._batch(client, number)
                self._stop.wait(max(0.0, 0.1 - (time.monotonic() - began)))

    def _batch(self, client: RouterClient, number: int) -> None:
        rows = table(self.rows, 10_000 + number, bills=self.bills).to_dicts()
        asked = [
            {"id": f"{number}-{n}", "key": f"k{number}-{n}", "features": {name: row[name] for name in FEATURES}}
            for n, row in enumerate(rows)
        ]
        try:
            answers = client.predict(self.model, asked)
            labels = [{"prediction_id": one["id"], "value": row["left"]} for one, row in zip(asked, rows, strict=True)]
            client.send_outcomes(self.model, labels)
        except FlowsError as error:
            self.failed.append(str(error))
            return
        now = time.time()
        for one, answer in zip(asked, answers, strict=True):
            names = ("variant", "model_version", "epoch", "reason")
            self.asked.append(Asked(now, str(one["key"]), *(answer[name] for name in names)))


@dataclass
class Heard:
    """What came by HTTP and by mail."""

    posts: list[dict[str, Any]] = field(default_factory=list)
    mails: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)

    def titles(self) -> list[str]:
        """Titles of the posts, in order."""
        return [str(one.get("title", "")) for one in self.posts]


@contextlib.contextmanager
def people() -> Iterator[Heard]:
    """A real HTTP receiver and a real mail server."""
    from aiosmtpd.controller import Controller

    heard = Heard()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _receiver(heard))
    thread = threading.Thread(target=server.serve_forever, name="receiver", daemon=True)
    thread.start()
    mail = Controller(_Mailbox(heard), hostname="127.0.0.1", port=free_port())
    mail.start()
    heard.urls = [
        f"json://127.0.0.1:{server.server_address[1]}/told",
        f"mailto://127.0.0.1:{mail.port}?from=understudy@example.org&to=team@example.org&mode=insecure",
    ]
    try:
        yield heard
    finally:
        mail.stop()
        server.shutdown()
        server.server_close()
        thread.join(10)


def _receiver(heard: Heard) -> type[BaseHTTPRequestHandler]:
    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    return Receiver


@dataclass
class _Mailbox:
    heard: Heard

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:
        self.heard.mails.append(envelope.content.decode())
        return "250 taken"
