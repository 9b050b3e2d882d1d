"""What a retraining came to, as Markdown for the Prefect page."""

import re

from flows.reports.decision import decision_markdown
from flows.training.describing import CARD_FILE
from flows.training.retraining import Retraining
from flows.training.shop import Shop
from registry.records.verdict import Decision
from registry.records.version import ModelVersion


def summary(shop: Shop, done: Retraining) -> str:
    """Put verdict first, then the findings, then the model card."""
    parts = [f"# {shop.model}: {done.outcome.replace('_', ' ')}", f"Event `{done.event.id}`."]
    # A decision says it by itself.
    decision = done.decision
    parts += [_deeper(decision_markdown(decision, _report(shop, decision))) if decision else done.said]
    parts += [_card(shop, done.version)] if done.version else []
    return "\n\n".join(parts)


def _card(shop: Shop, version: ModelVersion) -> str:
    raw = shop.artifacts.read(version.model, version.version, CARD_FILE, version.artifact_digest)
    return _deeper(raw.decode()).replace("## ", f"## {version.version} of ", 1)


def _report(shop: Shop, decision: Decision) -> str | None:
    return str(shop.settings.reports_dir / decision.report) if decision.report else None


def _deeper(markdown: str) -> str:
    return re.sub(r"^#", "##", markdown, flags=re.MULTILINE)
