"""The admin port without a network: helpers."""

import asyncio

import httpx

SHARED = "secret"
TOKENS = {"viewer": "v" * 16, "operator": "o" * 16, "approver": "a" * 16}
SAID = {"actor": "ann", "reason": "holiday"}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


class Admin:
    def __init__(self, app, token=SHARED, address="127.0.0.1"):
        self.app, self.token, self.address = app, token, address

    def request(self, method, path, headers=None, **wanted):
        async def ask():
            transport = httpx.ASGITransport(self.app, client=(self.address, 1))
            async with httpx.AsyncClient(transport=transport, base_url="http://admin") as client:
                given = bearer(self.token) | (headers or {})
                return await client.request(method, path, headers=given, **wanted)

        return asyncio.run(ask())

    def get(self, path, **wanted):
        return self.request("GET", path, **wanted)

    def post(self, path, **wanted):
        return self.request("POST", path, **wanted)

    def put(self, path, **wanted):
        return self.request("PUT", path, **wanted)

    def holding(self, token, address="127.0.0.1"):
        return Admin(self.app, token, address)
