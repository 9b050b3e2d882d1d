"""BentoML by who has read about speed: an asynchronous API, no access log, no metrics."""

import os

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")

import bentoml
from rig import served

from router.parent import die_with_parent


@bentoml.service(
    traffic={"max_concurrency": 100_000}, logging={"access": {"enabled": False}}, metrics={"enabled": False}
)
class Async:
    def __init__(self) -> None:
        die_with_parent()  # BentoML's workers lead sessions of their own, and would outlive the benchmark
        self.model = served.pipeline()

    @bentoml.api
    async def predict(self, features: list[float]) -> dict[str, float]:
        return {"score": served.score(self.model, features)}
