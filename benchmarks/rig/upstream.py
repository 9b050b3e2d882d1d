"""
A model server that misbehaves when it is told to; the port is the argument.

`POST /score` takes `{"instances": [...]}` and answers `{"predictions": [...]}` after 4 ms; `POST /mode/{mode}`
changes how: "well", "hang", "raise" (500), "nan", "slow" (ten times slower), "cut" (ends in the middle of an answer),
"garbage".
"""

import asyncio
import sys
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

MODES = ("well", "hang", "raise", "nan", "slow", "cut", "garbage")
USUAL_S, SLOW_S, FOR_EVER_S = 0.004, 0.04, 3600.0
_mode = "well"


async def score(request: Request) -> Response:
    rows = len((await request.json())["instances"])
    waits = {"slow": SLOW_S, "hang": FOR_EVER_S}
    await asyncio.sleep(waits.get(_mode, USUAL_S))
    if _mode == "raise":
        raise RuntimeError("no such tree")
    if _mode == "cut":
        return StreamingResponse(_cut())
    words = {"nan": "NaN", "garbage": "<html>"}
    return Response(f'{{"predictions": [{",".join([words.get(_mode, "0.5")] * rows)}]}}', media_type="application/json")


async def _cut() -> AsyncIterator[bytes]:
    yield b'{"predictions": ['
    raise RuntimeError("cut")


async def mode(request: Request) -> Response:
    global _mode
    _mode = request.path_params["mode"]
    return PlainTextResponse(_mode)


if __name__ == "__main__":
    routes = [Route("/score", score, methods=["POST"]), Route("/mode/{mode}", mode, methods=["POST", "GET"])]
    uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=int(sys.argv[1]), log_level="critical")
