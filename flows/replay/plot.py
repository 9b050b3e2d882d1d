"""Served against frozen over time, as PNG and SVG."""

from pathlib import Path

from flows.replay.summary import Summary

_SERVED, _FROZEN, _EVENT = "#1f6feb", "#8b949e", "#d29922"


def plot(summary: Summary, folder: Path) -> dict[str, Path]:
    """
    Draw the curve.

    Args:
        summary: Of a finished replay.
        folder: Where curve.png and curve.svg are written.

    Returns:
        Both files by format.
    """
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    figure, axes = pyplot.subplots(figsize=(11, 4.5), layout="constrained")
    times = [point.at for point in summary.series]
    name = summary.metric
    for said, values, colour in (
        (f"first model, frozen ({summary.frozen[name]:.4g})", [p.frozen[name] for p in summary.series], _FROZEN),
        (f"served by the loop ({summary.served[name]:.4g})", [p.served[name] for p in summary.series], _SERVED),
    ):
        axes.plot(times, values, color=colour, alpha=0.25, linewidth=1)  # type: ignore[arg-type]
        axes.plot(times, smooth(values, 1 + len(values) // 24), color=colour, linewidth=2, label=said)  # type: ignore[arg-type]
    for number, one in enumerate(summary.promotions):
        axes.axvline(one.at, color=_EVENT, linewidth=1, linestyle=":", label="promoted rollout" if not number else None)  # type: ignore[arg-type]
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set(title=f"{summary.name}: {name} per batch, thick lines smoothed", ylabel=name)
    axes.grid(alpha=0.3)
    axes.legend()
    files = {kind: folder / f"curve.{kind}" for kind in ("png", "svg")}
    for file in files.values():
        figure.savefig(file, dpi=120)
    pyplot.close(figure)
    return files


def smooth(values: list[float], width: int) -> list[float]:
    """Mean over the last *width* batches that have a value; nan before the first."""
    from math import isnan, nan

    out = []
    for index in range(len(values)):
        window = [value for value in values[max(0, index - width + 1) : index + 1] if not isnan(value)]
        out.append(sum(window) / len(window) if window else nan)
    return out
