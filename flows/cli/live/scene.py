"""One look as a picture for the terminal."""

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from flows.cli.durations import span
from flows.cli.live.arms import STYLES, arms_table
from flows.cli.live.bars import GOAL, gauge, interval, share_bar
from flows.cli.live.guards import Guard, split_guards, watch_guards
from flows.cli.live.look import Look
from flows.cli.sparkline import sparkline
from flows.cli.stages import end_text, mark, next_text, percent, question_text
from registry.assignment import TOTAL
from registry.records.gate import GateState
from registry.records.live import VariantMetrics
from registry.records.plan import CHAMPION
from registry.records.rollout import Rollout
from registry.records.verdict import Finding

_STATES = {"running": "green", "waiting_approval": "yellow", "paused": "yellow"}
_FRAME, _LABEL, _WIDE = 4, 9, 120
_OLD_S = 5.0
_TRIES = ((8, True), (8, False), (5, False), (3, False), (0, False))
Section = tuple[str, RenderableType]


def fitted(look: Look, paper: Console, *, keys: bool) -> RenderableType:
    """Draw one look so that it fits the terminal: first the air goes, then the events."""
    drawn = scene(look, paper.width, keys=keys)
    for events, airy in _TRIES:
        drawn = scene(look, paper.width, keys=keys, events=events, airy=airy)
        if len(paper.render_lines(drawn, pad=False)) <= paper.height:
            break
    return drawn


def scene(look: Look, width: int, *, keys: bool = False, events: int = 8, airy: bool = True) -> RenderableType:
    """
    Draw one look.

    Args:
        look: What was seen.
        width: Characters of the terminal.
        keys: Whether pressing q ends it.
        events: At most so many.
        airy: Whether there are empty lines between the parts.
    """
    inner = width - _FRAME
    full = [_labelled(name, part, inner, airy=airy) for name, part in _whole(look, inner - _LABEL)]
    half = inner // 2 if width >= _WIDE else inner
    parts = [_labelled(name, part, half, airy=airy) for name, part in _halves(look, half - _LABEL)]
    footer = _counted(look) + f"{look.at:%Y-%m-%d %H:%M:%S} UTC" + ("   q quits" if keys else "")
    last = (
        [_labelled("events", _events(look, events, inner - _LABEL), inner, airy=airy)] if look.happened[:events] else []
    )
    body = Group(*full, *(_side_by_side(parts) if half < inner else parts), *last)
    return Panel(body, title=_title(look), title_align="left", subtitle=footer, subtitle_align="right", width=width)


def _counted(look: Look) -> str:
    """Say how old the counts are, where the router is left alone for a while."""
    at = look.traffic.at
    old = at is not None and "router" not in look.away and (look.at - at).total_seconds() > _OLD_S
    return f"counts of {at:%H:%M:%S}   " if at is not None and old else ""


def _labelled(name: str, part: RenderableType, width: int, *, airy: bool) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="bold dim", width=_LABEL - 1, no_wrap=True)
    grid.add_column(width=width - _LABEL)
    grid.add_row(name, part)
    if airy:
        grid.add_row("", "")
    return grid


def _side_by_side(parts: list[Table]) -> Iterator[Table]:
    for at in range(0, len(parts), 2):
        pair = Table.grid()
        pair.add_row(*parts[at : at + 2])
        yield pair


def _whole(look: Look, width: int) -> Iterator[Section]:
    """What needs the whole width."""
    for part, one in look.away.items():
        yield "away", Text(f"{part} away since {one.since:%H:%M:%S}: {one.why}", style="bold red", overflow="fold")
    yield "now", _head(look)
    if look.rollout is not None:
        yield "steps", _steps(look.rollout, look)
    if look.books.plan is not None:
        yield "share", _shares(look, width)
    arms = arms_table(look, width)
    yield "arms", arms if arms is not None else Text("no request yet in this phase", style="dim")


def _halves(look: Look, width: int) -> Iterator[Section]:
    """What stands side by side where there is room."""
    if look.rollout is not None and look.rollout.step >= 0:
        yield "verdict", _verdict(look, look.rollout, width)
    if guards := list(_guards(look)):
        yield "guards", _guarded(guards, width)
    if look.books.known is not None and look.books.known.asked is not None:
        yield "gate", _gate(look.books.known.asked)


def _title(look: Look) -> Text:
    state = look.rollout.status if look.rollout else "watched" if look.books.watch else "no rollout"
    style = _STATES.get(state, "cyan" if look.books.watch else "dim")
    return Text.assemble((f" {look.model} ", "bold"), (f"● {state.replace('_', ' ')} ", style))


def _head(look: Look) -> RenderableType:
    plan, rollout, watch = look.books.plan, look.rollout, look.books.watch
    words = Text(overflow="fold")
    if plan is not None:
        words.append("champion ", style="dim").append(plan.version_of(CHAMPION), style=STYLES["champion"])
    if rollout is not None:
        words.append("   challenger ", style="dim").append(rollout.challenger, style=STYLES["challenger"])
        words.append(f"   {rollout.id} {rollout.strategy}", style="dim")
    if plan is not None:
        words.append(f"   plan {plan.epoch}", style="dim")
        words.append("   ramp held", style="yellow") if plan.paused else None
    if watch is not None:
        left = (watch.until - look.at).total_seconds()
        until = f"for {span(left)} more" if left > 0 else "past its time: too little was seen to judge it"
        words.append(f"\nnew champion {watch.version} is watched {until}; {watch.former} would come back")
    if rollout is not None and rollout.said:
        words.append(f"\n{rollout.said}")
    ended = look.books.known.rollout if rollout is None and look.books.known else None
    if ended is not None:
        words.append(f"\nlast: {ended.id} of {ended.challenger} {ended.status.replace('_', ' ')}: {ended.said}", "dim")
    return words


def _steps(rollout: Rollout, look: Look) -> RenderableType:
    line = Text(overflow="fold")
    for index, step in enumerate(rollout.steps):
        sign = mark(rollout, index)
        style = {"✓": "green", "▶": "bold reverse", "·": "dim"}[sign]
        line.append(" ━━ " if index else "", style="green" if sign == "✓" else "dim")
        share = rollout.weight if index == rollout.step and rollout.weight is not None else step.share
        line.append(f" {sign} {percent(share)} ", style=style)
    return Group(line, Text(_time(rollout, look), style="dim"))


def _time(rollout: Rollout, look: Look) -> str:
    known = look.books.known
    if rollout.step < 0 or known is None:
        return "has not begun"
    step = rollout.steps[rollout.step]
    baked = f"{span(known.baked_s)} of {span(step.min_s)} to {span(step.max_s)} here"
    if rollout.status == "paused":
        return f"{baked}; paused, guards stay active"
    return f"{baked}; moves {next_text(known.next_s)}" if known.next_s is not None else f"{baked}; waits for people"


def _shares(look: Look, width: int) -> RenderableType:
    plan = look.books.plan
    if plan is None:
        return Text("")
    shares = [(plan.weight_of(arm.variant) / TOTAL, STYLES.get(arm.variant, "blue")) for arm in plan.arms]
    legend = Text("   ").join(
        Text(f"{arm.variant} {plan.weight_of(arm.variant) / TOTAL * 100:.4g} %", style=STYLES.get(arm.variant, "blue"))
        for arm in plan.arms
    )
    if plan.shadows:
        legend.append(f"   {', '.join(plan.shadows)} in shadow", style="magenta")
    return Group(share_bar(shares, min(width, 80)), legend)


def _verdict(look: Look, rollout: Rollout, width: int) -> RenderableType:
    judged = look.traffic.seen
    if judged is None or judged.decision is None:
        return Text("nothing to judge yet", style="dim")
    primary = next((f for f in judged.decision.findings if f.role == "primary" and f.estimate is not None), None)
    lines: list[RenderableType] = []
    if primary is not None:
        lines += _drawn(primary, rollout, look, width)
    more = f"; about {judged.decision.more_needed:,} more are needed" if judged.decision.more_needed else ""
    goal = f"{GOAL} goal {_goal(rollout, primary):+.3g}; " if primary is not None and _goal(rollout, primary) else ""
    counted = f"{goal}{judged.labelled:,} labelled, at least {judged.needed:,}{more}"
    if judged.outcome == "error":
        lines.append(Text(f"nothing moves it forward: {judged.said}", style="red", overflow="fold"))
    lines += [
        Text(f"{judged.decision.outcome}: {judged.decision.headline}", overflow="fold"),
        Text(counted, style="dim"),
    ]
    return Group(*lines)


def _drawn(primary: Finding, rollout: Rollout, look: Look, width: int) -> list[RenderableType]:
    estimate = primary.estimate or 0.0
    goal = _goal(rollout, primary)
    low = "-∞" if primary.low is None else f"{primary.low:+.3g}"
    high = "∞" if primary.high is None else f"{primary.high:+.3g}"
    said = Text(f"{primary.name}  {estimate:+.3g}  [{low}, {high}]", overflow="fold")
    drawing = interval(primary.low, estimate, primary.high, goal, min(width, 64))
    course = [Text(sparkline(look.estimates, min(width, 64)), style="cyan dim")] if len(look.estimates) > 1 else []
    return [said, drawing, *course]


def _goal(rollout: Rollout, primary: Finding) -> float:
    return rollout.policy.min_improvement * abs(primary.champion or 0.0)


def _guards(look: Look) -> Iterator[Guard]:
    plan, phase, watch = look.books.plan, look.phase, look.books.watch
    if plan is None or phase is None:
        return
    champion = phase.variants.get(CHAMPION, VariantMetrics(version=plan.version_of(CHAMPION)))
    for arm in plan.challengers:
        seen = phase.variants.get(arm.variant, VariantMetrics(version=arm.version))
        yield from split_guards(plan.guards, champion, seen)
    if watch is not None and not plan.challengers:
        yield from watch_guards(watch.limits, watch.baseline, champion)


def _guarded(guards: list[Guard], width: int) -> RenderableType:
    made = Table.grid(padding=(0, 2, 0, 0))
    for one in guards:
        value = one.value
        now = "unknown" if value is None else f"{value:+.1%}" if one.name != "errors" else f"{value:.2%}"
        unsure = ", not surely beyond" if value is not None and value > one.reach else ""
        limit = Text(f"limit {one.limit:.0%}{one.said}{unsure}", style="dim")
        made.add_row(one.name, gauge(value, one.reach, 20 if width >= 60 else 10), now, limit)
    return made


def _gate(asked: GateState) -> RenderableType:
    words = Text(question_text(asked), style="yellow", overflow="fold")
    for one in asked.signed:
        words.append(f"\n✓ {one.role}: {one.actor}", style="green").append(f"  {one.reason}", style="white dim")
    for role in asked.missing:
        words.append(f"\n○ {role}: nobody yet")
    if end := end_text(asked):
        words.append(f"\nuntil {end}", style="white dim")
    return words


def _events(look: Look, most: int, width: int) -> RenderableType:
    shown = look.happened[:most]
    longest = min(max(len(one.what) for one in shown), max(width // 3, 12))
    made = Table.grid(padding=(0, 2, 0, 0))
    for columns, style in ((11, "dim"), (longest, ""), (max(width - longest - 17, 8), "dim")):
        made.add_column(width=columns, style=style, no_wrap=True, overflow="ellipsis")
    for one in shown:
        made.add_row(f"{one.at:%m-%d %H:%M}", one.what, f"{one.said}  ({one.who})")
    return made
