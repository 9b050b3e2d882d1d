"""The BentoML service; the only file that knows BentoML."""

import gc
import logging
import os
import sys

os.environ.setdefault("BENTOML_DO_NOT_TRACK", "true")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "0")
os.environ.setdefault("OMP_NUM_THREADS", "1")

from typing import Any

import bentoml
import msgspec
import uvicorn.config

from registry.eventlog.segments import OUTCOMES, PREDICTIONS, SegmentWriter
from registry.home import Settings
from registry.reader import PlanReader
from router.app import Asgi, Receive, RouterApp, Scope, Send, owns
from router.board import Board
from router.hot import protocol
from router.hot.turn import Turns
from router.index.lookup import Lookup
from router.logs import configure_logs, spans
from router.models import ModelCache, artifact_loader
from router.operations.arbiter import mend_arbiter
from router.operations.selfcheck import self_check
from router.operations.settings import ServeSettings
from router.outcomes import OutcomeLog
from router.parent import begin_worker
from router.plans import PlanWatcher
from router.sentry import Sentry
from router.tally import Tallies
from router.worker import Worker, troubles_of

# BentoML leaves uvicorn's choice at "auto", and offers no option for it.
uvicorn.config.HTTP_PROTOCOLS["auto"] = "router.hot.protocol:HotProtocol"
log = logging.getLogger("understudy.router")
_app: RouterApp | None = None


def build(settings: Settings) -> RouterApp:
    """Join the parts of one worker."""
    options = ServeSettings()
    requests, span = configure_logs(options), spans(options)
    watcher = PlanWatcher(
        PlanReader(settings.registry_url), ModelCache(artifact_loader(settings.models_dir)), settings.run_dir / "plans"
    )
    watcher.start_from_last_good()
    watcher.refresh()
    writer, tallies = SegmentWriter(settings.events_dir, PREDICTIONS), Tallies()
    # Spans are made on the long path.
    turns = Turns(watcher.snapshots, writer, tallies) if span is None else None
    protocol.use(turns)
    worker = Worker(
        watcher=watcher,
        writer=writer,
        kept=OutcomeLog(SegmentWriter(settings.events_dir, OUTCOMES), Lookup(settings.home / "index.sqlite")),
        tallies=tallies,
        sentry=Sentry(
            Board.join(settings.run_dir, "worker"),
            tallies,
            watcher.snapshots,
            watcher.stop,
            unlogged=lambda: writer.unlogged,
            troubles=lambda: troubles_of(watcher, writer),
        ),
        turns=turns,
        requests=requests,
        span=span,
        found=self_check(settings, watcher.snapshots),
    )
    return RouterApp(worker)


class Front:
    """Answers our routes; everything else falls through to BentoML."""

    def __init__(self, app: Asgi) -> None:
        self._bentoml = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request; or the life of the worker, whose parts are made before it takes the first."""
        if scope["type"] == "lifespan":
            _worker_app().start()
        if scope["type"] == "http" and owns(scope["path"]):
            await _worker_app()(scope, receive, send)
        else:
            await self._bentoml(scope, receive, send)


def _worker_app() -> RouterApp:
    global _app
    if _app is None:
        _app = build(Settings())
        # A model that is loaded in a thread must not keep the callers waiting for its turn.
        sys.setswitchinterval(0.001)
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
        # In the worker: it dies with the service, and stops without losing an answer.
        begin_worker()

    @bentoml.on_deployment  # type: ignore[untyped-decorator]  # exported lazily
    @staticmethod
    def mend() -> None:
        """In the parent, before it starts workers."""
        mend_arbiter()

    @bentoml.api(route="/predict")  # type: ignore[untyped-decorator]  # exported lazily
    async def predict(
        self, context: bentoml.Context, model: str, features: dict[str, Any], key: str | None = None
    ) -> dict[str, Any]:
        """
        Answer one row, BentoML's way: the same decision, log line and answer as the routes under /v1.

        Several times slower than those; for clients that are made from BentoML's own OpenAPI document.
        """
        status, _, body = await _worker_app().classic(model, {"key": key, "features": features})
        context.response.status_code = status
        answer: dict[str, Any] = msgspec.json.decode(body)
        return answer


UnderstudyRouter = bentoml.service(
    name="understudy",
    service_class=_Service,
    workers=Settings().router_workers,  # BentoML starts this many; of --api-workers it takes no notice
    logging={"access": {"enabled": False}},  # a line per request costs more than the answer, and fills the disk
    metrics={"enabled": False},  # /metrics is ours
)(_Answers)
