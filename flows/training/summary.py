"""What a retraining came to, as Markdown for the Prefect page."""

from flows.training.candidate import CARD_FILE
from flows.training.retraining import Retraining
from flows.training.shop import Shop
from registry.records.verdict import Decision
from registry.records.version import ModelVersion


def summary(shop: Shop, done: Retraining) -> str:
    """Put verdict first, then the findings, then the model card."""
    parts = [f"# {shop.model}: {done.outcome.replace('_', ' ')}", done.said, f"Event `{done.event.id}`."]
    parts += [_verdict(shop, done.decision)] if done.decision else []
    parts += [_card(shop, done.version)] if done.version else []
    return "\n\n".join(parts)


def _verdict(shop: Shop, decision: Decision) -> str:
    rows = [
        f"| {finding.name} | {_passed(finding.passed)} | {finding.n} | {finding.said} |"
        for finding in decision.findings
    ]
    table = "\n".join(["| finding | passed | n | |", "|---|---|---|---|", *rows])
    report = f"\n\nReport: `{shop.settings.reports_dir / decision.report}`" if decision.report else ""
    return f"## Verdict: {decision.outcome.replace('_', ' ')}\n\n{decision.headline}\n\n{table}{report}"


def _card(shop: Shop, version: ModelVersion) -> str:
    """The card of the artifact, one level deeper."""
    raw = shop.artifacts.read(version.model, version.version, CARD_FILE, version.artifact_digest)
    return raw.decode().replace("\n## ", "\n### ").replace("# ", f"## {version.version} of ", 1)


def _passed(passed: bool | None) -> str:
    return {True: "yes", False: "no", None: "too little data"}[passed]
