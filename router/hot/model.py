"""One model under one plan, ready to answer what one turn of the event loop has brought."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

import msgspec

from registry.assignment import Assignment
from registry.records.plan import CHAMPION
from router.hot.arms import Arm, arm_of
from router.hot.asking import AskedRow, Odd, Parser, Row
from router.hot.shape import PLACES, Shape, key_of, predictions_of, shape_of
from router.models import Snapshot
from router.tally import Tallies, Tally

_encode, _join = msgspec.json.encode, b"".join
parser_of = lru_cache(maxsize=64)(Parser)

NewIds = Callable[[int], Sequence[bytes]]
Count = tuple[Tally, str | None, int, int, float, int]
Dealt = tuple[int, int, Row, Assignment]
"""One row: its number among all rows of the turn, its request's number, itself, its draw."""
Span = tuple[int, int, bool]
"""Of one request: the numbers of its first row and of the row behind its last, and whether they came as a batch."""


class Answered(NamedTuple):
    """
    What became of a turn's requests, or of the first of them.

    Attributes:
        bodies: Of each request: its answer, or None if the long path must answer it.
        rows: Of each row: its answer.
        lines: For the event log; to be written before the answers leave.
        counts: For the tallies: tally, reason or None, rows, enrolled rows, milliseconds, requests of the latter.
    """

    bodies: list[bytes | None]
    rows: list[bytes]
    lines: list[bytes]
    counts: list[Count]


class _Group(list[Dealt]):
    """Rows of one variant, who serves them in this turn, and why not itself; empty: only the long path can say."""

    def __init__(self, assigned: str, served: str, error: str | None = None) -> None:
        super().__init__()
        self.assigned, self.served, self.error = assigned, served, error


class _Turn:
    """
    Rows of one turn.

    Attributes:
        spans: Of each request; None where the long path answers.
        groups: By variant.
        rows: How many.
        batches: Whether any request may have several.
    """

    def __init__(self) -> None:
        self.batches = False
        self.spans: list[Span | None] = []
        self.groups: dict[str, _Group] = {}
        self.rows = 0

    def leave(self, requests: set[int]) -> None:
        """Leave these to the long path."""
        for request in requests:
            self.spans[request] = None
        for group in self.groups.values():
            group[:] = [one for one in group if one[1] not in requests]


Scored = tuple[_Group, list[float], float]
"""A group, its scores, and the milliseconds they took."""


class HotModel:
    """
    Answers by one snapshot.

    Args:
        snapshot: Whose champion can be asked in the turn; see `hot_model`.
        arms: By variant, those that can.

    Attributes:
        most: Rows of one turn.
    """

    def __init__(self, snapshot: Snapshot, arms: dict[str, Arm], tallies: Tallies) -> None:
        self._snapshot, self._plan, self._arms, self._tallies = snapshot, snapshot.plan, arms, tallies
        self._deal, self._parser = snapshot.plan.dealer.deal, parser_of(snapshot.champion.version.features)
        self._shapes: dict[tuple[str, str, str | None], dict[str, Shape]] = {}
        self.most = min(arm.most for arm in arms.values())

    def answer(self, bodies: Sequence[bytes], now: float, new_ids: NewIds) -> Answered:
        """
        Answer the requests of one turn; of more rows than `most`, the first ones.

        Args:
            bodies: One per request.
            now: Epoch seconds, for rows without a time of their own.
            new_ids: Makes prediction ids: as JSON strings without escapes.
        """
        turn = _Turn()
        for body in bodies:
            try:
                rows, batch = self._parser.rows(body, self.most)
            except Odd:
                turn.spans.append(None)
                continue
            if turn.rows + len(rows) > self.most:
                break
            self._take(turn, rows, batch=batch)
        return self._answered(turn, now, new_ids)

    def asked(self, body: bytes) -> Sequence[AskedRow]:
        """
        Take a long batch apart.

        Raises:
            Odd: If it is none.
        """
        return self._parser.asked(body)

    def checked(self, asked: Sequence[AskedRow]) -> list[Row]:
        """
        Check rows of a long batch.

        Raises:
            Odd: If anything is wrong with one.
        """
        return self._parser.checked(asked)

    def answer_rows(self, rows: Sequence[Row], now: float, new_ids: NewIds) -> Answered:
        """Answer up to `most` rows of a long batch as if they had come alone."""
        turn = _Turn()
        self._take(turn, rows, batch=True)
        return self._answered(turn, now, new_ids)

    def _take(self, turn: _Turn, rows: Sequence[Row], *, batch: bool) -> None:
        request, first, groups, deal = len(turn.spans), turn.rows, turn.groups, self._deal
        for number, row in enumerate(rows, first):
            assignment = deal(row.key)
            group = groups.get(assignment.variant)
            if group is None:
                group = groups[assignment.variant] = self._group(assignment.variant)
            group.append((number, request, row, assignment))
        turn.rows += len(rows)
        turn.batches |= batch
        turn.spans.append((first, turn.rows, batch))

    def _group(self, variant: str) -> _Group:
        if variant == CHAMPION:
            return _Group(variant, CHAMPION)
        if self._snapshot.stopped is not None:
            return _Group(variant, CHAMPION, "stopped")
        breaker = self._snapshot.breakers[variant]
        state = breaker.state
        if state == "open" or (state == "half_open" and not breaker.probes):
            return _Group(variant, CHAMPION, "breaker_open")
        return _Group(variant, variant if state == "closed" and variant in self._arms else "")

    def _answered(self, turn: _Turn, now: float, new_ids: NewIds) -> Answered:
        left = {one[1] for group in turn.groups.values() if not group.served for one in group}
        while True:
            if left:
                turn.leave(left)
            left, scored = set(), []
            for group in turn.groups.values():
                if group:
                    arm = self._arms[group.served]
                    scores, spent = arm.score([one[2].values for one in group])
                    left.update(group[place][1] for place in arm.unfit(scores))
                    scored.append((group, scores, spent))
            if not left:
                return self._written(turn, scored, now, new_ids)

    def _written(self, turn: _Turn, scored: Sequence[Scored], now: float, new_ids: NewIds) -> Answered:
        rows = [b""] * turn.rows
        lines: list[bytes] = []
        counts: list[Count] = []
        ids, written_at = new_ids(turn.rows), _encode(now)
        for group, scores, spent in scored:
            latency = 0.0 if group.error is not None else round(spent, 4)
            enrolled = self._write(group, scores, latency, rows, lines, ids, written_at)
            asked = len({one[1] for one in group if one[3].enrolled}) if turn.batches else enrolled
            tally = self._tallies.of(self._plan, group.assigned)
            counts.append((tally, group.error, len(group), enrolled, latency, asked))
            if group.served != CHAMPION:
                self._snapshot.breakers[group.served].succeeded()
        return Answered([_body(rows, span) for span in turn.spans], rows, lines, counts)

    def _write(
        self,
        group: _Group,
        scores: list[float],
        latency: float,
        rows: list[bytes],
        lines: list[bytes],
        ids: Sequence[bytes],
        written_at: bytes,
    ) -> int:
        """Write the answers and log lines of one group; how many of its rows are enrolled."""
        arm, shapes = self._arms[group.served], self._shapes.setdefault((group.assigned, group.served, group.error), {})
        told, end, enrolled = _encode(scores)[1:-1].split(b","), b',"latency_ms":%r,"place":' % latency, 0
        said = predictions_of(scores, told, arm.decided_as, arm.threshold)
        for place, ((number, _, row, assignment), score, prediction) in enumerate(zip(group, told, said, strict=True)):
            shape = shapes.get(assignment.reason) or self._shaped(shapes, group, assignment)
            id_ = ids[number] if row.id is None else _encode(row.id)
            key = _encode(row.key) if type(row.key) is str and row.key else key_of(row.key)
            at = written_at if row.time is None else _encode(row.time)
            enrolled += assignment.enrolled
            rows[number] = _join((b'{"prediction":', prediction, b',"score":', score, shape.answer, id_, b"}"))
            line = (shape.line, b',"id":', id_, b',"key":', key, b',"time":', at, b',"features":', row.raw)
            lines.append(_join((*line, b',"score":', score, b',"prediction":', prediction, end, PLACES[place])))
        return enrolled

    def _shaped(self, shapes: dict[str, Shape], group: _Group, assignment: Assignment) -> Shape:
        reason = assignment.reason
        found = shapes[reason] = shape_of(
            self._plan, group.assigned, group.served, enrolled=assignment.enrolled, reason=reason, error=group.error
        )
        return found


def hot_model(snapshot: Snapshot, tallies: Tallies) -> HotModel | None:
    """The short path of a snapshot; None where the champion cannot be asked in the turn."""
    features, deadline_ms = snapshot.champion.version.features, snapshot.plan.guards.deadline_ms
    found = {
        variant: arm_of(loaded, features, variant=variant, deadline_ms=deadline_ms)
        for variant, loaded in snapshot.loaded.items()
    }
    arms = {variant: arm for variant, arm in found.items() if arm is not None}
    return HotModel(snapshot, arms, tallies) if CHAMPION in arms and Parser.takes(features) else None


def _body(rows: Sequence[bytes], span: Span | None) -> bytes | None:
    if span is None:
        return None
    first, last, batch = span
    return batch_of(rows[first:last]) if batch else rows[first]


def batch_of(rows: Sequence[bytes]) -> bytes:
    """The answer to a batch, from those to its rows."""
    return b'{"rows":[' + b",".join(rows) + b"]}"
