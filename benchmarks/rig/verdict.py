"""What router_load.py says: tables, ratios with their spread, and the bars."""

from itertools import pairwise
from typing import Any

from rig import report
from rig.peers import FASTAPI, NGINX, STOCK, TABLE

ROUTER = "router"
CHAMPION_ONLY = "router, champion only"
AB = "router, A/B"
AB_SHADOW = "router, A/B + shadow + log"
AB_NAMED = "the same, features by name"
OURS = (CHAMPION_ONLY, AB, AB_SHADOW, AB_NAMED)
BASES = (STOCK, TABLE, FASTAPI, NGINX)
PEERS = ("MLServer", "Ray Serve", "LitServe", "mlflow models serve")
Figures = dict[str, Any]


def tables(figures: Figures) -> None:
    """All of it."""
    print(f"\n{report.machine()}\nMedians, and least to most of the rounds.")
    for connections in dict.fromkeys(figure["connections"] for figure in figures["closed"]):
        closed_table([figure for figure in figures["closed"] if figure["connections"] == connections], connections)
    paced_table(figures["paced"])
    resources_table(figures)
    scaling_table(figures["scaling"])


def closed_table(level: list[Figures], connections: int) -> None:
    columns = ("system", "requests/s", "p50 ms", "p99 ms", "failed", "CPU us", "helpers us")
    rows = []
    for name, its in by_system(level).items():
        speed = (
            report.spread(its, "per_second"),
            report.spread(its, "p50_ms", ".2f"),
            report.spread(its, "p99_ms", ".2f"),
        )
        failed = str(sum(figure["failed"] for figure in its))
        rows.append((name, *speed, failed, _whole(its, "cpu_us"), _whole(its, "helpers_cpu_us")))
    report.show(columns, rows, f"{connections} connections, each with one request under way")
    report.show(("requests/s, times those of", *BASES), ratio_rows(level))


def ratio_rows(level: list[Figures]) -> list[tuple[str, ...]]:
    its = by_system(level)
    return [
        (name, *(report.ratio_text(report.ratios(its[name], its.get(base, []))) for base in BASES))
        for name in OURS
        if name in its
    ]


def paced_table(paced: list[Figures]) -> None:
    if not paced:
        return
    columns = ("system", "p50 ms", "p99 ms", "worst ms", "failed")
    rows = [
        (
            name,
            *(report.spread(its, key, ",.2f") for key in ("p50_ms", "p99_ms")),
            f"{max(figure['max_ms'] for figure in its):,.0f}",
            str(sum(figure["failed"] for figure in its)),
        )
        for name, its in by_system(paced).items()
    ]
    report.show(columns, rows, f"{paced[0]['rate']:g} requests/s, latency from when each was due")


def resources_table(figures: Figures) -> None:
    columns = ("system", "largest process, MB", "all its processes, MB", "first answer after, s")
    rows = [
        (name, f"{memory[0]:,.0f}", f"{memory[1]:,.0f}", f"{figures['started'][name]:.1f}")
        for name, memory in figures["memory"].items()
    ]
    report.show(columns, rows, "Memory after the load, and start")


def scaling_table(scaling: list[Figures]) -> None:
    if not scaling:
        return
    columns = (
        "workers",
        "A/B alone, requests/s",
        "p99 ms",
        "CPU us",
        "all MB",
        "with shadow and control",
        "p99 ms",
        "CPU us",
    )
    rows = []
    for workers, its in by_workers(scaling).items():
        cells = [str(workers)]
        for beside in ("alone", "with helpers"):
            its_own = [figure for figure in its if figure["beside"] == beside]
            cells += [
                report.spread(its_own, "per_second"),
                report.spread(its_own, "p99_ms", ".2f"),
                _whole(its_own, "cpu_us"),
            ]
            cells += [f"{its[0]['memory'][1]:,.0f}"] if beside == "alone" else []
        rows.append(tuple(cells))
    report.show(columns, rows, "The router's workers, 64 connections")


def bars(figures: Figures) -> list[report.Bar]:
    """What was promised, at each level of concurrency."""
    found = []
    for connections in dict.fromkeys(figure["connections"] for figure in figures["closed"]):
        level = by_system([figure for figure in figures["closed"] if figure["connections"] == connections])
        found += throughput_bars(level, f"{connections} connections")
        found += latency_bars(level, f"{connections} connections")
        cost = report.ratios(level[AB_SHADOW], level[AB])
        found.append(report.least(cost, 0.7, f"{connections} connections: shadow and log leave >= 0.7 of A/B"))
    paced = by_system(figures["paced"])
    if paced:
        found += latency_bars(paced, f"{figures['paced'][0]['rate']:g}/s")
    return [*found, *growth_bars(figures["scaling"]), decision_bar(figures), failure_bar(figures)]


def throughput_bars(level: dict[str, list[Figures]], where: str) -> list[report.Bar]:
    wanted = [(STOCK, 50.0), (TABLE, 50.0), (FASTAPI, 10.0), *((name, 10.0) for name in PEERS), (NGINX, 0.3)]
    return [
        report.least(report.ratios(level[AB_SHADOW], level.get(name, [])), bar, f"{where}: >= {bar:g} times {name}")
        for name, bar in wanted
    ]


def latency_bars(level: dict[str, list[Figures]], where: str) -> list[report.Bar]:
    ours = report.middle(level[AB_SHADOW], "p99_ms")
    return [
        report.most(ours, report.middle(level[name], "p99_ms"), f"{where}: p99 below {name}'s", "ms")
        for name in (STOCK, TABLE, FASTAPI, *PEERS)
        if name in level
    ]


def growth_bars(scaling: list[Figures]) -> list[report.Bar]:
    """Of the router alone: beside shadow, control and load one machine may have no core left to grow on."""
    alone = [figure for figure in scaling if figure["beside"] == "alone"]
    speeds = {workers: report.middle(its, "per_second") for workers, its in by_workers(alone).items()}
    return [
        report.Bar(
            f"{more} workers serve more than {few}",
            f"{speeds[more] / speeds[few]:.2f} times",
            speeds[more] > speeds[few],
        )
        for few, more in pairwise(speeds)
    ]


def decision_bar(figures: Figures) -> report.Bar:
    spent = figures["decision_us"]
    return report.most(spent[len(spent) // 2], 2.0, "a decision takes <= 2 us (p50)", "us")


def failure_bar(figures: Figures) -> report.Bar:
    its = [figure for figure in figures["closed"] + figures["paced"] + figures["scaling"] if figure["system"] in OURS]
    return report.none(
        sum(figure["failed"] for figure in its), "the router failed no request", sum(f["requests"] for f in its)
    )


def by_system(figures: list[Figures]) -> dict[str, list[Figures]]:
    names = dict.fromkeys(figure["system"] for figure in figures)
    return {name: [figure for figure in figures if figure["system"] == name] for name in names}


def by_workers(figures: list[Figures]) -> dict[int, list[Figures]]:
    counts = dict.fromkeys(figure["workers"] for figure in figures)
    return {count: [figure for figure in figures if figure["workers"] == count] for count in counts}


def _whole(its: list[Figures], key: str) -> str:
    return report.spread(its, key, ",.0f") if key in its[0] else ""
