"""The BentoML service; the only file that knows BentoML."""

import os

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import bentoml

from registry.home import Settings
from registry.reader import PlanReader
from router.app import Asgi, Receive, RouterApp, Scope, Send, owns
from router.index.lookup import Lookup
from router.models import ModelCache, artifact_loader
from router.outcomes import OutcomeLog
from router.parent import die_with_parent
from router.plans import PlanWatcher
from router.segments import SegmentWriter

_app: RouterApp | None = None


def build(settings: Settings) -> RouterApp:
    """Join the parts of one worker."""
    watcher = PlanWatcher(
        PlanReader(settings.registry_url), ModelCache(artifact_loader(settings.models_dir)), settings.run_dir / "plans"
    )
    watcher.start_from_last_good()
    watcher.refresh()
    writer = SegmentWriter(settings.events_dir, "worker")
    return RouterApp(watcher, writer, OutcomeLog(writer, Lookup(settings.home / "index.sqlite")))


class Front:
    """Answers our routes before BentoML's own are asked; everything else falls through to them."""

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
    return _app


class _Answers:
    """Answers callers: consistent-hash split, shadow copies by the log, same-request fallback."""

    def __init__(self) -> None:
        # A worker that outlives a killed service would keep its port.
        die_with_parent()


UnderstudyRouter = bentoml.service(
    name="understudy",
    traffic={"timeout": 60, "max_concurrency": 100_000},
    logging={"access": {"enabled": False}},  # a line per request costs more than the answer, and fills the disk
    metrics={"enabled": False},  # /metrics is ours
)(_Answers)
UnderstudyRouter.add_asgi_middleware(Front)
