"""The live system, as a replay uses it; whatever is killed meanwhile is waited for."""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar

from flows.client import RouterClient, RouterRefused
from flows.errors import Unreachable
from flows.ops.environment import use_prefect
from flows.ops.health import get
from flows.replay.patience import Told, patiently
from registry.errors import NotFound, StoreUnavailable
from registry.home import Settings
from registry.records.live import JoinedRow, ModelMetrics, Outcome, OutcomeStatus
from registry.store.registry import Registry

T = TypeVar("T")
_SERVER_ERROR = ("(500)", "(502)", "(503)", "(504)", "(429)")


class Live:
    """
    Router, registry and Prefect server of one state folder.

    Args:
        settings: Names all three.
        model: Name of the model.
        told: Hears of waiting and recovery.
        classes: Of a multi-class model: the router is told labels by name.
    """

    def __init__(
        self,
        settings: Settings,
        model: str,
        registry: Registry,
        client: RouterClient,
        told: Told,
        classes: Sequence[str] = (),
    ) -> None:
        self.settings, self.model, self.registry, self._client, self._told = settings, model, registry, client, told
        self._classes = classes
        self.waits = 0

    def predict(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Ask for predictions; ids make it safe to ask again."""
        return self._calmly(lambda: self._client.predict(self.model, rows))

    def deliver(self, outcomes: Sequence[Outcome]) -> list[OutcomeStatus]:
        """Deliver outcomes; ids make it safe to deliver again."""
        documents = [self._document(one) for one in outcomes]
        return self._calmly(lambda: self._client.send_outcomes(self.model, documents))

    def _document(self, one: Outcome) -> dict[str, Any]:
        document = {name: value for name, value in one.to_dict().items() if value is not None}
        named = {"value": self._classes[int(one.value)]} if self._classes and one.metric == "label" else {}
        return document | named

    def sync(self) -> ModelMetrics:
        """Wait until everything sent is joined."""
        return self._calmly(lambda: self._client.sync(self.model))

    def log(self) -> Iterator[JoinedRow]:
        """Read the router's whole log of the model."""
        return iter(self._calmly(lambda: list(self._client.rows(self.model))))

    def follow_plan(self) -> None:
        """Wait until every worker of the router answers by the newest plan."""
        plan = self._calmly(lambda: self.registry.plan(self.model))
        if plan is not None:
            self._calmly(lambda: self._client.wait_for_epoch(self.model, plan.epoch))

    def flow(self, entrypoint: str, **parameters: Any) -> Any:
        """Run a flow in this process, recorded by the Prefect server."""
        from flows.ops.deployments import load_flow

        return self._calmly(lambda: load_flow(entrypoint)(**parameters))

    def prefect(self, call: Callable[[Any], T]) -> T:
        """Ask the Prefect server something."""

        def ask() -> T:
            from prefect.client.orchestration import get_client

            with get_client(sync_client=True) as client:
                return call(client)

        return self._calmly(ask)

    def _calmly(self, call: Callable[[], T]) -> T:
        return patiently(call, again=self._may_pass, told=self._waited)

    def _waited(self, said: str) -> None:
        self.waits += said.startswith("waiting")
        self._told(said)

    def _may_pass(self, error: Exception) -> bool:
        """Whether a process that is down, or coming up, explains *error*."""
        import httpx

        if isinstance(error, NotFound | RouterRefused):
            return any(code in error.what for code in _SERVER_ERROR)
        if isinstance(error, Unreachable | StoreUnavailable | httpx.TransportError):
            return True
        if isinstance(error, httpx.HTTPStatusError):
            return error.response.status_code >= 500
        return not self._prefect_answers()

    def _prefect_answers(self) -> bool:
        answer = get(f"{self.settings.prefect_api_url}/health")
        return answer is not None and answer.status_code == 200


@contextlib.contextmanager
def live(settings: Settings, model: str, told: Told, classes: Sequence[str] = ()) -> Iterator[Live]:
    """Open everything, with Prefect quiet on this terminal; its server still gets every log line."""
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    logging.raiseExceptions = False  # log lines that a killed server does not take are no news
    use_prefect(settings)
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    # Without heartbeat a flow run in this process takes 0.4 instead of 1.3 s.
    with (
        temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}),
        Registry.open(settings.registry_url) as registry,
        RouterClient(settings, actor="replay") as client,
    ):
        yield Live(settings, model, registry, client, told, classes)
        _send_logs()


def _send_logs() -> None:
    """Hand the last lines to the Prefect server while it is there."""
    from prefect.logging.handlers import APILogWorker

    APILogWorker.drain_all(timeout=5)


def iso(at: datetime) -> str:
    """Write a moment as a flow parameter."""
    return at.isoformat()
