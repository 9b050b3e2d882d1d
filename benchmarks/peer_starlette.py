"""The floor: parse, score, answer, and nothing else."""

import booster
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


def app() -> Starlette:
    loaded = booster.load()

    async def predict(request: Request) -> JSONResponse:
        return JSONResponse({"score": booster.score(loaded, (await request.json())["features"])})

    return Starlette(routes=[Route("/predict", predict, methods=["POST"])])
