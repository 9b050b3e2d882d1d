"""A version that answers over HTTP: in the event loop, or for whoever may wait."""

import asyncio
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from registry.errors import ArtifactRefused, InvalidRecord
from registry.records.upstream import UPSTREAM_FILE, Upstream
from registry.records.version import ModelVersion
from registry.upstream.caller import Caller
from registry.upstream.mapping import Mapper, Rows
from router.remote.gathering import Gatherer


class Remote:
    """
    Scores rows by an upstream.

    `ask` belongs to the event loop that answers callers; `score_now` and `score` make whoever
    calls them wait, over connections of their own.
    """

    is_remote = True
    compiled = None

    def __init__(self, version: ModelVersion, upstream: Upstream, environ: Mapping[str, str] = os.environ) -> None:
        self.upstream, self._task = upstream, version.task
        self._caller = Caller(upstream, Mapper(upstream, version.features), environ)
        self._gatherers: WeakKeyDictionary[asyncio.AbstractEventLoop, Gatherer] = WeakKeyDictionary()
        self._lock = threading.Lock()
        self._runner: asyncio.Runner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked = 0
        self._retired = False

    @classmethod
    def of(cls, version: ModelVersion, files: Mapping[str, bytes], environ: Mapping[str, str] = os.environ) -> "Remote":
        """
        Read the artifact of a remote version.

        Raises:
            ArtifactRefused: If `upstream.json` makes no sense, or a secret is not in the environment.
        """
        try:
            return cls(version, Upstream.from_json(files[UPSTREAM_FILE]), environ)
        except (msgspec.MsgspecError, InvalidRecord) as error:
            raise ArtifactRefused(
                f"{version.model} {version.version} was not loaded.",
                f"{UPSTREAM_FILE}: {error}.",
                "Register it again: `understudy models remote add`.",
            ) from error

    async def ask(self, rows: Rows, *, deadline_ms: float | None = None, retry: bool = False) -> list[float]:
        """
        Score rows without blocking the loop; all in one request, together with those of others who ask now.

        Args:
            rows: At least one.
            deadline_ms: By default the upstream's own.
            retry: Once more where an idle connection turned out to be closed.

        Raises:
            UpstreamFailed: With its reason.
        """
        self._loop = asyncio.get_running_loop()
        self._asked += 1
        try:
            gatherer = self._gatherer(self._loop)
            return await gatherer.ask(rows, deadline_ms=deadline_ms or self.upstream.deadline_ms, retry=retry)
        finally:
            self._asked -= 1
            if self._retired and not self._asked:
                await self.close()

    def _gatherer(self, loop: asyncio.AbstractEventLoop) -> Gatherer:
        found = self._gatherers.get(loop)
        if found is None:
            found = self._gatherers[loop] = Gatherer(self._caller, self.upstream.connections)
        return found

    def score_now(self, rows: Rows, timeout: float | None = None) -> list[float]:
        """
        Score rows and wait; for shadows and tools, never for an event loop.

        Args:
            rows: At least one.
            timeout: Seconds; by default the upstream's own deadline.

        Raises:
            UpstreamFailed: With its reason.
        """
        deadline_ms = self.upstream.deadline_ms if timeout is None else timeout * 1000
        with self._lock:
            if self._runner is None:
                self._runner = asyncio.Runner()
            return self._runner.run(self._caller.ask(rows, deadline_ms=deadline_ms))

    def score(self, rows: Rows) -> list[float]:
        """Score like a local version: `score_now`, by the upstream's own deadline."""
        return self.score_now(rows) if rows else []

    def predictions(self, scores: Sequence[float]) -> list[Any]:
        """Decide: 1 at or above the threshold, else 0 (binary); the score itself (regression)."""
        if self._task == "regression":
            return list(scores)
        return [int(score >= self.upstream.threshold) for score in scores]

    async def close(self) -> None:
        """Close the connections of the running loop; who asks again gets new ones."""
        await self._caller.close()

    def retire(self) -> None:
        """Close idle connections; whoever is being asked may finish, and who asks again gets new ones."""
        self._retired = True
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # a loop that has ended has closed everything
                loop.call_soon_threadsafe(self._close_if_idle)
        with self._lock:
            if self._runner is not None:
                self._runner.run(self.close())
                self._runner.close()
                self._runner = None

    def _close_if_idle(self) -> None:
        if not self._asked and self._loop is not None:
            self._closing = self._loop.create_task(self.close())
