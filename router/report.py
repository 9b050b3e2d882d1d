"""What the processes of one state folder tell each other on the board."""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec
from msgspec import UnsetType

from registry.records.plan import TrafficPlan
from router.breaker import Circuit
from router.tally import Tally

Role = Literal["worker", "control", "shadow"]


class Stop(msgspec.Struct, frozen=True, array_like=True):
    """
    Something that holds for all plans of a model up to *epoch*, and for those of the same rollout.

    Attributes:
        rollout: Its id; None for a plan that belongs to none.
        restore: The former champion, if it shall answer in place of the one that is watched.
    """

    epoch: int
    reason: str
    rollout: str | None = None
    restore: str | None = None

    @property
    def rank(self) -> tuple[int, bool]:
        """Of two of one model the higher one holds: of one epoch, the one that takes the champion's place away."""
        return self.epoch, self.restore is not None

    def holds(self, plan: TrafficPlan) -> bool:
        """Whether it holds for this plan."""
        same = self.rollout is not None and plan.rollout_id == self.rollout and bool(plan.challengers)
        return plan.epoch <= self.epoch or same

    def restores(self, plan: TrafficPlan) -> bool:
        """Whether the former champion of this plan answers."""
        return self.restore is not None and plan.epoch <= self.epoch and is_watched(plan, self.restore)


def is_watched(plan: TrafficPlan, former: str) -> bool:
    """Whether the plan keeps *former* warm for the case that its champion fails."""
    return not isinstance(plan.watch, UnsetType) and plan.watch.former == former


class Report(msgspec.Struct, array_like=True, kw_only=True):
    """
    What one process tells the others.

    Attributes:
        role: What it is.
        began: When it started, in epoch seconds.
        epochs: Of the plans in force, by model.
        circuits: (model, phase, variant, version) and state of each breaker.
        tallies: Its counts, and those of the dead processes whose slot it took; what matters most, last.
        stops: Challengers that are off, by model.
        alerts: Champions that fail, by model.
        unlogged: Predictions that were answered but not logged.
        copies: Of shadows, by model, version and what became of them.
        stopped: Why the challengers of the plan in force are off, by model.
        troubles: Why it is degraded, by part.
    """

    role: Role = "worker"
    began: float = 0.0
    epochs: dict[str, int] = {}
    circuits: list[tuple[str, str, str, str, Circuit]] = []
    tallies: list[Tally] = []
    stops: dict[str, Stop] = {}
    alerts: dict[str, Stop] = {}
    unlogged: int = 0
    copies: dict[str, dict[str, dict[str, int]]] = {}
    stopped: dict[str, str] = {}
    troubles: dict[str, str] = {}


class Seen(NamedTuple):
    """
    One slot as it was read.

    Attributes:
        alive: Whether its process runs; of a dead one only counts, stops and alerts still hold.
        silent_s: Seconds since it wrote; a hung process is alive and silent.
    """

    slot: int
    pid: int
    alive: bool
    silent_s: float
    report: Report


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Report)


def encoded(report: Report, room: int) -> tuple[bytes, bool]:
    """
    Encode within *room* bytes, and say whether something was left out for it.

    First go the tallies in front, then what only people read, at last the oldest stops.
    """
    payload = _encoder.encode(report)
    shorter = _shorter(report)
    cut = len(payload) > room
    while len(payload) > room:
        payload = _encoder.encode(next(shorter))
    return payload, cut


def decoded(payload: bytes) -> Report | None:
    """The report; None if another version of this program wrote it."""
    try:
        return _decoder.decode(payload)
    except msgspec.MsgspecError:
        return None


def _shorter(report: Report) -> Iterator[Report]:
    tallies = report.tallies
    while tallies:
        tallies = tallies[len(tallies) // 4 + 1 :]
        yield _with(report, tallies=tallies)
    bare = _with(report, tallies=[], circuits=[], alerts={}, copies={}, stopped={}, troubles={})
    stops = sorted(report.stops.items(), key=lambda named: named[1].epoch)
    yield _with(bare, stops={model: _mute(stop) for model, stop in stops})
    while stops:
        stops = stops[len(stops) // 4 + 1 :]
        yield _with(bare, epochs={}, stops={model: _mute(stop) for model, stop in stops})


def _mute(stop: Stop) -> Stop:
    return msgspec.structs.replace(stop, reason="")


def _with(report: Report, **changes: object) -> Report:
    return msgspec.structs.replace(report, **changes)
