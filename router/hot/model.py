"""One model under one plan, ready to answer what one turn of the event loop has brought."""

import math
import sys
import time
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import msgspec
import numpy as np

from registry.assignment import Assignment, Dealer
from registry.records.plan import CHAMPION
from registry.records.version import Feature
from router.hot.asking import Buffer, Odd, Parser, Row
from router.hot.shape import Shape, predictions_of, shape_of
from router.models import Loaded, Snapshot
from router.tally import Tallies, Tally

CAPACITY = 512
MOST_US_PER_ROW = 50.0
"""A challenger that takes longer is asked in a thread of its own: callers of the champion do not wait for it."""
_GREATEST = sys.float_info.max
_encode = msgspec.json.encode
parser_of = lru_cache(maxsize=64)(Parser)


class Compiled(Protocol):
    """What the short path needs of a compiled scorer."""

    features: tuple[str, ...]
    levels: tuple[Any, ...]
    us_per_row: float

    def scores(self, raw: Any, n: int, out: Any) -> None:
        """Fill out[:n] from raw[:n]."""


class Dealt(msgspec.Struct, gc=False):
    """One row, by request and place in its body, with its draw."""

    request: int
    place: int
    row: Row
    assignment: Assignment


class _Way(NamedTuple):
    """Who serves the rows of a variant in this turn, and why not itself."""

    assigned: str
    served: str
    error: str | None


Count = tuple[Tally, str | None, int, int, float, int]


class Answered(NamedTuple):
    """
    What became of a turn's requests.

    Attributes:
        bodies: Of each request: its answer, or None if the long path must answer it.
        lines: For the event log; to be written before the answers leave.
        counts: For the tallies: tally, reason or None, rows, enrolled rows, milliseconds, requests of the latter.
    """

    bodies: list[bytes | None]
    lines: list[bytes]
    counts: list[Count]


class _Arm:
    """A variant whose compiled scorer is called here."""

    def __init__(self, loaded: Loaded, compiled: Compiled) -> None:
        self.compiled, self.task = compiled, loaded.version.task
        spec = loaded.scorer.spec  # type: ignore[attr-defined]  # compiled ones have one
        self.decided_as, self.threshold = spec.task, spec.threshold
        self._range = (0.0, 1.0) if self.task == "binary" else (-_GREATEST, _GREATEST)
        self.buffer = Buffer(compiled.levels, CAPACITY)
        self.out = np.empty(CAPACITY, dtype=np.float64)

    def score(self, rows: list[Dealt]) -> tuple[list[float], float]:
        """
        Scores of up to CAPACITY rows, and the milliseconds they took.

        Raises:
            _Unfit: If a score is unusable; who is right, the long path finds out.
        """
        for index, dealt in enumerate(rows):
            self.buffer.fill(index, dealt.row.values)
        n = len(rows)
        began = time.perf_counter()
        self.compiled.scores(self.buffer.raw, n, self.out)
        spent = (time.perf_counter() - began) * 1000
        scores: list[float] = self.out[:n].tolist()
        least, most = self._range
        unfit = {one.request for one, score in zip(rows, scores, strict=True) if not least <= score <= most}
        if unfit:
            raise _Unfit(unfit)
        return scores, spent


class _Unfit(Exception):
    def __init__(self, requests: set[int]) -> None:
        super().__init__()
        self.requests = requests


class HotModel:
    """
    Answers by one snapshot.

    Args:
        snapshot: Whose champion has a compiled scorer; see `hot_model`.
    """

    def __init__(self, snapshot: Snapshot, tallies: Tallies) -> None:
        self._snapshot, self._plan, self._tallies = snapshot, snapshot.plan, tallies
        self._dealer = Dealer.of(snapshot.plan)
        features = snapshot.champion.version.features
        self._parser = parser_of(features)
        self._arms = {
            variant: _Arm(loaded, compiled)
            for variant, loaded in snapshot.loaded.items()
            if (compiled := _compiled(loaded, features, snapshot.plan.guards.deadline_ms, variant)) is not None
        }
        self._shapes: dict[_Way, dict[str, Shape]] = {}

    def answer(self, bodies: Sequence[bytes], now: float, new_id: Any) -> Answered:
        """
        Answer the requests of one turn.

        Args:
            bodies: One per request.
            now: Epoch seconds, for rows without a time of their own.
            new_id: Makes prediction ids: plain characters that need no escapes.
        """
        left: set[int] = set()
        groups, batches = self._deal(bodies, left)
        while True:
            try:
                scored = [(way, rows, *self._arms[way.served].score(rows)) for way, rows in groups.items() if rows]
                break
            except _Unfit as unfit:
                left |= unfit.requests
                groups = {way: [one for one in rows if one.request not in left] for way, rows in groups.items()}
        return self._written(len(bodies), batches, left, scored, now, new_id)

    def _deal(self, bodies: Sequence[bytes], left: set[int]) -> tuple[dict[_Way, list[Dealt]], set[int]]:
        groups: dict[_Way, list[Dealt]] = {}
        ways: dict[str, _Way | None] = {}
        batches: set[int] = set()
        room, deal = CAPACITY, self._dealer.deal
        for request, body in enumerate(bodies):
            try:
                rows, batch = self._parser.rows(body, room)
            except Odd:
                left.add(request)
                continue
            room -= len(rows)
            if batch:
                batches.add(request)
            for place, row in enumerate(rows):
                assignment = deal(row.key)
                variant = assignment.variant
                if variant not in ways:
                    ways[variant] = self._way(variant)
                way = ways[variant]
                if way is None:
                    left.add(request)
                else:
                    groups.setdefault(way, []).append(Dealt(request, place, row, assignment))
        if left:
            groups = {way: [one for one in rows if one.request not in left] for way, rows in groups.items()}
        return groups, batches

    def _way(self, variant: str) -> _Way | None:
        """Who serves a variant's rows now, and why not itself; None if only the long path can say."""
        if variant == CHAMPION:
            return _Way(variant, CHAMPION, None)
        if self._snapshot.stopped is not None:
            return _Way(variant, CHAMPION, "stopped")
        state = self._snapshot.breakers[variant].state
        if state == "open":
            return _Way(variant, CHAMPION, "breaker_open")
        return _Way(variant, variant, None) if state == "closed" and variant in self._arms else None

    def _written(
        self,
        requests: int,
        batches: set[int],
        left: set[int],
        scored: list[tuple[_Way, list[Dealt], list[float], float]],
        now: float,
        new_id: Any,
    ) -> Answered:
        answers: list[dict[int, bytes]] = [{} for _ in range(requests)]
        lines: list[bytes] = []
        counts: list[Count] = []
        written_at = _encode(now)
        for way, rows, scores, spent in scored:
            arm, shapes = self._arms[way.served], self._shapes.setdefault(way, {})
            latency = 0.0 if way.error is not None else round(spent, 4)
            told = _encode(scores)[1:-1].split(b",")
            said = predictions_of(scores, told, arm.decided_as, arm.threshold)
            enrolled = 0
            for place, (one, score, prediction) in enumerate(zip(rows, told, said, strict=True)):
                assignment = one.assignment
                shape = shapes.get(assignment.reason) or self._shaped(shapes, way, assignment)
                enrolled += assignment.enrolled
                id_ = b'"' + new_id() + b'"' if one.row.id is None else _encode(one.row.id)
                answers[one.request][one.place] = (
                    b'{"prediction":' + prediction + b',"score":' + score + shape.answer + id_ + shape.end
                )
                lines.append(_line(shape, one.row, id_, written_at, score, prediction, latency, place))
            asked = len({one.request for one in rows if one.assignment.enrolled}) if batches else enrolled
            counts.append((self._tallies.of(self._plan, way.assigned), way.error, len(rows), enrolled, latency, asked))
            if way.served != CHAMPION:
                self._snapshot.breakers[way.served].succeeded()
        bodies: list[bytes | None] = [
            None if i in left else _batch(rows) if i in batches else rows[0] for i, rows in enumerate(answers)
        ]
        return Answered(bodies, lines, counts)

    def _shaped(self, shapes: dict[str, Shape], way: _Way, assignment: Assignment) -> Shape:
        reason = assignment.reason
        found = shapes[reason] = shape_of(
            self._plan, way.assigned, way.served, enrolled=assignment.enrolled, reason=reason, error=way.error
        )
        return found


def hot_model(snapshot: Snapshot, tallies: Tallies) -> HotModel | None:
    """The short path of a snapshot; None where the champion's scorer is not compiled."""
    features = snapshot.champion.version.features
    if _compiled(snapshot.champion, features, math.inf, CHAMPION) is None:
        return None
    return HotModel(snapshot, tallies)


def _compiled(loaded: Loaded, features: Sequence[Feature], deadline_ms: float, variant: str) -> Compiled | None:
    compiled: Compiled | None = getattr(loaded.scorer, "compiled", None)
    if compiled is None or tuple(compiled.features) != tuple(feature.name for feature in features):
        return None
    if variant != CHAMPION:
        kinds = [(feature.name, feature.kind) for feature in loaded.version.features]
        if kinds != [(feature.name, feature.kind) for feature in features]:
            return None
        # A whole turn of it must stay far below its deadline, and short in itself.
        if compiled.us_per_row > MOST_US_PER_ROW or compiled.us_per_row * CAPACITY / 1000 > deadline_ms / 2:
            return None
    return compiled


def _batch(rows: dict[int, bytes]) -> bytes:
    return b'{"rows":[' + b",".join(rows[place] for place in range(len(rows))) + b"]}"


def _line(
    shape: Shape, row: Row, id_: bytes, now: bytes, score: bytes, prediction: bytes, latency: float, place: int
) -> bytes:
    key = row.key
    if type(key) is str:
        key_ = _encode(key) if key else b"null"
    elif type(key) is int:
        key_ = b'"%d"' % key
    else:
        key_ = b"null"
    return b'%b,"id":%b,"key":%b,"time":%b,"features":%b,"score":%b,"prediction":%b,"latency_ms":%r,"place":%d}' % (
        shape.line,
        id_,
        key_,
        now if row.time is None else _encode(row.time),
        row.raw,
        score,
        prediction,
        latency,
        place,
    )
