"""
A typed client of the router's serving port, for services that ask for predictions.

Needs httpx and msgspec, and nothing else of the router.

Example:
    with Client("http://localhost:3000") as router:
        answer = router.predict("leads", {"age": 41, "visits": 2, "channel": "search"}, key="lead-17")
        router.outcome("leads", 1, prediction_id=answer.prediction_id)
"""

from router.client.aio import AsyncClient
from router.client.client import Client
from router.client.errors import ClientError, NotAnswered, Refused, Unavailable
from router.client.retries import Retries
from router.client.types import Answer, OutcomeRow, Row, Status

__all__ = [
    "Answer",
    "AsyncClient",
    "Client",
    "ClientError",
    "NotAnswered",
    "OutcomeRow",
    "Refused",
    "Retries",
    "Row",
    "Status",
    "Unavailable",
]
