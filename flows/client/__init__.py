"""How flows talk to the router: over HTTP, never by import."""

from flows.client.errors import RouterRefused
from flows.client.router import RouterClient

__all__ = ["RouterClient", "RouterRefused"]
