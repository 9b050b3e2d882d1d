"""FastAPI on uvicorn with uvloop and httptools: an asynchronous and a synchronous handler."""

from fastapi import FastAPI
from pydantic import BaseModel
from rig import served

app, model = FastAPI(), served.pipeline()


class Asked(BaseModel):
    features: list[float]


class Answered(BaseModel):
    score: float


@app.post("/async")
async def asynchronous(asked: Asked) -> Answered:
    return Answered(score=served.score(model, asked.features))


@app.post("/sync")
def synchronous(asked: Asked) -> Answered:
    return Answered(score=served.score(model, asked.features))
