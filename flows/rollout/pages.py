"""Keep the pages that Prefect shows of a rollout true, whoever has moved it."""

import logging
import re

from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import ArtifactUpdate
from prefect.client.schemas.filters import ArtifactCollectionFilter, ArtifactCollectionFilterKey
from prefect.client.schemas.objects import ArtifactCollection
from prefect.settings import PREFECT_API_URL

from flows.rollout.describe import is_told, standing
from flows.rollout.desk import Desk, artifact_key
from flows.rollout.gate.collect import shown_decision
from flows.rollout.gate.forms import over
from flows.rollout.gate.page import closed
from registry.records.rollout import Rollout

log = logging.getLogger("understudy.pages")
_NAMED = re.compile(r"^(r-\d+)\b")


def tend_pages(desk: Desk, model: str) -> None:
    """
    Say on the pages how a rollout stands, or ended, that the router or a person has moved; for the end of every look.

    A page that is true is left as it is. A server that is away costs nothing but the page.

    Args:
        desk: Owns the registry.
        model: The one that was looked at.
    """
    rollouts = desk.registry.rollouts(model)
    if not PREFECT_API_URL.value() or not rollouts:
        return
    page, gate = artifact_key("rollout", model), artifact_key("approval", model)
    try:
        with get_client(sync_client=True) as client:
            shown = _shown(client, page, gate)
            if not _is_true(shown.get(page), rollouts[0]):
                create_markdown_artifact(standing(rollouts[0]), key=page, description=rollouts[0].said)
            if gate in shown:
                _close(desk, client, shown[gate], {one.id: one for one in rollouts})
    except Exception as error:  # noqa: BLE001  whatever it is, the rollout goes on
        log.warning("%s: pages on the Prefect server were not looked at: %s", model, type(error).__name__)


def _shown(client: SyncPrefectClient, *keys: str) -> dict[str, ArtifactCollection]:
    """The newest page of each key that there is."""
    wanted = ArtifactCollectionFilter(key=ArtifactCollectionFilterKey(any_=list(keys)))
    return {one.key: one for one in client.read_latest_artifacts(artifact_filter=wanted)}


def _is_true(shown: ArtifactCollection | None, newest: Rollout) -> bool:
    """Whether nothing is to be said: a rollout without its first move needs no page."""
    return newest.step < 0 if shown is None else is_told(str(shown.data), newest)


def _close(desk: Desk, client: SyncPrefectClient, shown: ArtifactCollection, rollouts: dict[str, Rollout]) -> None:
    """Where people are asked nothing any more, the same page says how it ended: a new one would not be on its run."""
    named = _NAMED.match(shown.description or "")
    rollout = rollouts.get(named[1]) if named else next(iter(rollouts.values()))
    if rollout is None:
        return
    state = desk.registry.gate(rollout.id)
    ended = over(state, state.bound_to)
    if not ended or shown.description == _described(rollout, ended):
        return
    given, decision = desk.registry.approvals(rollout.id), shown_decision(desk.registry, rollout)
    text = closed(rollout, ended, given, decision, desk.settings.reports_dir, str(shown.data))
    client.update_artifact(shown.latest_id, ArtifactUpdate(data=text, description=_described(rollout, ended)))


def _described(rollout: Rollout, ended: str) -> str:
    return ended if ended.startswith(rollout.id) else f"{rollout.id}: {ended}"
