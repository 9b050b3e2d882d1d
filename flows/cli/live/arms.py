"""What every arm and shadow does, one line each."""

import math
from collections.abc import Iterator

from rich.table import Table

from flows.cli.live.look import Look
from registry.records.live import Moments, ShadowMetrics, VariantMetrics

STYLES = {"champion": "cyan", "challenger": "magenta"}
_WIDE = 110
_NORMAL = 1.96  # of the interval of a mean: descriptive, decides nothing


def arms_table(look: Look, width: int) -> Table | None:
    """Lay out arms and shadows; fewer columns where it is narrow; None without any traffic."""
    phase = look.phase
    if phase is None:
        return None
    rows = [*_arms(look), *_shadows(look)]
    wide = width >= _WIDE
    names = ["", "version", "req/s", "requests", "errors", "p50", "p95 ms", "labelled", "loss"]
    shown = [at for at, name in enumerate(names) if wide or name not in ("p50", "requests")]
    made = Table(box=None, padding=(0, 2 if wide else 1, 0, 0), header_style="dim", expand=False)
    for at in shown:
        made.add_column(names[at], justify="left" if at < 2 else "right", no_wrap=True)
    for style, cells in rows:
        made.add_row(*(cells[at] for at in shown), style=style)
    return made


def _arms(look: Look) -> Iterator[tuple[str, list[str]]]:
    phase, plan = look.phase, look.books.plan
    if phase is None or plan is None:
        return
    for arm in plan.arms:
        one = phase.variants.get(arm.variant, VariantMetrics(version=arm.version))
        yield (STYLES.get(arm.variant, "blue"), [arm.variant, arm.version, _rate(look, arm.variant), *_numbers(one)])


def _shadows(look: Look) -> Iterator[tuple[str, list[str]]]:
    phase, plan = look.phase, look.books.plan
    if phase is None or plan is None:
        return
    for version in plan.shadows:
        one = phase.shadows.get(version, ShadowMetrics(version=version))
        failed, quantiles = sum(one.errors.values()), one.latency_quantiles
        numbers = [
            f"{one.copies:,}",
            _share(failed, one.copies),
            _ms(quantiles.get("p50")),
            _ms(quantiles.get("p95")),
            f"{one.pairs:,}",
            f"saves {_mean(one.loss_difference)}" if one.pairs else "-",
        ]
        yield "magenta", ["shadow", version, _rate(look, version), *numbers]


def _numbers(one: VariantMetrics) -> list[str]:
    failed, quantiles = sum(one.errors.values()) + sum(one.fallbacks.values()), one.latency_quantiles
    return [
        f"{one.assigned:,}",
        _share(failed, one.assigned),
        _ms(quantiles.get("p50")),
        _ms(quantiles.get("p95")),
        f"{one.loss.n:,}",
        _mean(one.loss) if one.loss.n else "-",
    ]


def _rate(look: Look, name: str) -> str:
    rate = look.rates.get(name)
    return "-" if rate is None else f"{rate:,.1f}" if rate < 100 else f"{rate:,.0f}"


def _share(failed: int, asked: int) -> str:
    return f"{failed / asked:.2%}" if asked else "-"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}" if value < 1 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _mean(moments: Moments) -> str:
    if moments.n < 2 or not math.isfinite(moments.mean):
        return "-"
    half = _NORMAL * math.sqrt(max(moments.variance, 0.0) / moments.n)
    return f"{moments.mean:.4f} ±{half:.4f}"
