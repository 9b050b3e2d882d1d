"""Ask one upstream: pooled connections, one deadline over everything, a bounded reply, no surprises."""

import asyncio
import os
import ssl
from collections.abc import Mapping
from typing import Final
from weakref import WeakKeyDictionary

import httpx

from registry.errors import ArtifactRefused
from registry.records.upstream import SECRET, Upstream
from registry.upstream.failed import UpstreamFailed
from registry.upstream.mapping import Mapper, Rows
from registry.upstream.warm import warm_up

# Below the 5 s of uvicorn and many others: a connection that the server is about to close is not used again.
_KEEPALIVE_S: Final = 2.0
_CLOSED: Final = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)


class Caller:
    """
    The connections of one process to one upstream.

    Args:
        upstream: Where and how.
        mapper: Writes requests and reads replies.
        environ: Where `${NAME}` of the headers is looked up.

    Raises:
        ArtifactRefused: If a variable is not set.
    """

    def __init__(self, upstream: Upstream, mapper: Mapper, environ: Mapping[str, str] = os.environ) -> None:
        self._upstream, self._mapper = upstream, mapper
        self._headers = {
            **headers_of(upstream, environ),
            "content-type": "application/json",
            "accept": "application/json",
            # A small compressed reply may be a large one.
            "accept-encoding": "identity",
        }
        self._given_up: set[asyncio.Task[bytes]] = set()
        self._tls = ssl_of(upstream)
        warm_up()
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, httpx.AsyncClient] = WeakKeyDictionary()

    async def ask(self, rows: Rows, *, deadline_ms: float, retry: bool = False) -> list[float]:
        """
        Ask about all rows in one request.

        Args:
            rows: At least one.
            deadline_ms: Over waiting for a connection, connecting, sending and reading.
            retry: Once more if a connection was closed before a reply began: most often one that had been idle.

        Returns:
            One number per row, not checked to be finite.

        Raises:
            UpstreamFailed: With one of its reasons.
        """
        return self._mapper.scores(await self.reply(rows, deadline_ms=deadline_ms, retry=retry), len(rows))

    async def reply(self, rows: Rows, *, deadline_ms: float, retry: bool = False) -> bytes:
        """Ask like `ask`, and return the body of the reply as it came."""
        # A task of its own, cancelled once at most: the second time would interrupt httpx while it gives
        # the connection back, and the pool would be one poorer for ever.
        sending = asyncio.get_running_loop().create_task(self._sent(self._mapper.body(rows), retry=retry))
        try:
            await asyncio.wait({sending}, timeout=deadline_ms / 1000)
        finally:
            if not sending.done():
                sending.cancel()
                self._given_up.add(sending)
                sending.add_done_callback(self._ended)
        if sending.done():
            return sending.result()
        raise UpstreamFailed("deadline", f"no answer within {deadline_ms:g} ms")

    async def close(self) -> None:
        """Close the connections of the running loop; asking again opens new ones."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()

    def _ended(self, sending: "asyncio.Task[bytes]") -> None:
        self._given_up.discard(sending)
        if not sending.cancelled():
            sending.exception()  # nobody waits for it

    async def _sent(self, body: bytes, *, retry: bool) -> bytes:
        try:
            return await self._once(body)
        except httpx.TransportError as error:
            if not (retry and isinstance(error, _CLOSED)):
                raise _unreachable(error) from error
        try:
            return await self._once(body)
        except httpx.TransportError as error:
            raise _unreachable(error) from error

    async def _once(self, body: bytes) -> bytes:
        client = self._client()
        request = client.build_request("POST", self._mapper.url, content=body)
        response = await client.send(request, stream=True)
        try:
            _refuse(response)
            return await self._read(response)
        finally:
            await response.aclose()

    async def _read(self, response: httpx.Response) -> bytes:
        most, size, chunks = self._upstream.reply_bytes, 0, []
        try:
            async for chunk in response.aiter_raw():
                size += len(chunk)
                if size > most:
                    raise UpstreamFailed("too_large", f"the reply exceeds {most} bytes")
                chunks.append(chunk)
        except httpx.TransportError as error:  # some of the reply was heard: that is never asked again
            raise _unreachable(error) from error
        return b"".join(chunks)

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        found = self._clients.get(loop)
        if found is None:
            found = self._clients[loop] = self._connected()
        return found

    def _connected(self) -> httpx.AsyncClient:
        most = self._upstream.connections
        return httpx.AsyncClient(
            headers=self._headers,
            # Unbounded here: a request that is given up before its new connection has begun leaves it in httpx's
            # pool for ever, and a full pool never serves again. Whoever asks bounds what is under way.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=most, keepalive_expiry=_KEEPALIVE_S),
            timeout=httpx.Timeout(None, connect=self._upstream.connect_ms / 1000),
            verify=self._tls,
            trust_env=False,
            follow_redirects=False,
        )


def headers_of(upstream: Upstream, environ: Mapping[str, str]) -> dict[str, str]:
    """
    Fill in the secrets.

    Raises:
        ArtifactRefused: Naming every variable that is not set, or cannot be sent.
    """
    mistakes = [f"{name} is not set" for name in upstream.secrets() if not environ.get(name)]
    mistakes += [
        f"{name} is not printable ASCII" for name in upstream.secrets() if not _sendable(environ.get(name, ""))
    ]
    if mistakes:
        raise ArtifactRefused(
            f"The upstream {upstream.url} was not loaded.",
            "; ".join(mistakes) + ".",
            "Set the variables where the router runs; their values are stored nowhere.",
        )
    return {name: SECRET.sub(lambda found: environ[found[1]], value) for name, value in upstream.headers.items()}


def ssl_of(upstream: Upstream) -> ssl.SSLContext | bool:
    """
    Read certificates when a version is loaded, not while somebody waits.

    Raises:
        ArtifactRefused: If the file of authorities cannot be used.
    """
    if not upstream.url.startswith("https:"):
        return False
    if upstream.ca_file is None:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=upstream.ca_file)
    except OSError as error:
        raise ArtifactRefused(
            f"The upstream {upstream.url} was not loaded.",
            f"ca_file {upstream.ca_file}: {error.strerror or error}.",
            "Put the PEM file of its authorities there.",
        ) from error


def _refuse(response: httpx.Response) -> None:
    status = response.status_code
    if status >= 500:
        raise UpstreamFailed("upstream_5xx", f"it answers {status}")
    if status >= 400:
        raise UpstreamFailed("upstream_4xx", f"it answers {status}")
    if status >= 300:
        raise UpstreamFailed("upstream_3xx", f"it answers {status}; redirects are not followed")
    coding = response.headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("", "identity"):
        raise UpstreamFailed("not_json", f"the reply is compressed ({coding[:20]!a}), which was not asked for")


def _unreachable(error: httpx.TransportError) -> UpstreamFailed:
    return UpstreamFailed("unreachable", f"{type(error).__name__}: {error}"[:200])


def _sendable(value: str) -> bool:
    return value.isascii() and (value.isprintable() or not value)
