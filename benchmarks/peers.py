"""The same booster served by others: BentoML the usual way, and Starlette as a floor."""

import os

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import bentoml
import numpy as np
import xgboost
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from router.parent import die_with_parent


def booster() -> xgboost.Booster:
    loaded = xgboost.Booster()
    loaded.load_model(os.environ["BENCHMARK_MODEL"])
    loaded.set_param({"nthread": 1})
    return loaded


def score(loaded: xgboost.Booster, features: list[float]) -> float:
    return float(loaded.inplace_predict(np.asarray([features], dtype=np.float32))[0])


@bentoml.service(name="peer", traffic={"max_concurrency": 100_000}, logging={"access": {"enabled": False}})
class Peer:
    """What most people would write."""

    def __init__(self) -> None:
        die_with_parent()  # BentoML's workers live in a group of their own, and would outlive the benchmark
        self.booster = booster()

    @bentoml.api
    def predict(self, features: list[float]) -> dict[str, float]:
        return {"score": score(self.booster, features)}


def floor() -> Starlette:
    loaded = booster()

    async def predict(request: Request) -> JSONResponse:
        return JSONResponse({"score": score(loaded, (await request.json())["features"])})

    return Starlette(routes=[Route("/predict", predict, methods=["POST"])])
