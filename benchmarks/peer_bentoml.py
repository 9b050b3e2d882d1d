"""The peer: BentoML the usual way."""

import os

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")

import bentoml
import booster

from router.parent import die_with_parent


@bentoml.service(name="peer", traffic={"max_concurrency": 100_000}, logging={"access": {"enabled": False}})
class Peer:
    """What most people would write, less the log line per request."""

    def __init__(self) -> None:
        die_with_parent()  # BentoML's workers live in a group of their own, and would outlive the benchmark
        self.booster = booster.load()

    @bentoml.api
    def predict(self, features: list[float]) -> dict[str, float]:
        return {"score": booster.score(self.booster, features)}
