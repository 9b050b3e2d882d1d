"""The BentoML service; the only file that knows BentoML."""

import gc
import os

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from typing import Any

import bentoml

from registry.eventlog.segments import OUTCOMES, PREDICTIONS, SegmentWriter
from registry.home import Settings
from registry.reader import PlanReader
from router.app import Asgi, Receive, RouterApp, Scope, Send, owns
from router.index.lookup import Lookup
from router.models import ModelCache, artifact_loader
from router.outcomes import OutcomeLog
from router.parent import die_with_parent
from router.plans import PlanWatcher

_app: RouterApp | None = None


def build(settings: Settings) -> RouterApp:
    """Join the parts of one worker."""
    watcher = PlanWatcher(
        PlanReader(settings.registry_url), ModelCache(artifact_loader(settings.models_dir)), settings.run_dir / "plans"
    )
    watcher.start_from_last_good()
    watcher.refresh()
    kept = OutcomeLog(SegmentWriter(settings.events_dir, OUTCOMES), Lookup(settings.home / "index.sqlite"))
    return RouterApp(watcher, SegmentWriter(settings.events_dir, PREDICTIONS), kept)


class Front:
    """Answers our routes; everything else falls through to BentoML."""

    def __init__(self, app: Asgi) -> None:
        self._bentoml = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; the parts are made in the worker, at its first one."""
        if scope["type"] == "http" and owns(scope["path"]):
            await _worker_app()(scope, receive, send)
        else:
            await self._bentoml(scope, receive, send)


def _worker_app() -> RouterApp:
    global _app
    if _app is None:
        _app = build(Settings())
        # What is loaded now stays: a full collection need not walk through it again while callers wait.
        gc.collect()
        gc.freeze()
    return _app


class _Service(bentoml.Service[Any]):  # type: ignore[misc]  # exported lazily, so mypy sees Any
    """
    Stands before BentoML's middleware instead of behind it.

    Its tracing costs as much time as an answer, and its timeout keeps a timer of every request
    for a minute: at 1,000 requests/s full collections stopped all callers for 0.2 to 0.6 s.
    """

    def to_asgi(self, is_main: bool = True) -> Asgi:
        """What a worker serves."""
        return Front(super().to_asgi(is_main=is_main))


class _Answers:
    """Answers callers: consistent-hash split, shadow copies by the log, same-request fallback."""

    def __init__(self) -> None:
        # A worker that outlives a killed service would keep its port.
        die_with_parent()


UnderstudyRouter = bentoml.service(
    name="understudy",
    service_class=_Service,
    workers=Settings().router_workers,  # BentoML starts this many; of --api-workers it takes no notice
    logging={"access": {"enabled": False}},  # a line per request costs more than the answer, and fills the disk
    metrics={"enabled": False},  # /metrics is ours
)(_Answers)
