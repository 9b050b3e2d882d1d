"""The metrics document: sufficient statistics per phase and variant, from the index."""

import math
import sqlite3
from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from registry.records.live import ModelMetrics, PhaseMetrics
from registry.records.version import Task
from router.index import schema, summaries
from router.index.columns import Block, Columns, Names, read_block
from router.index.schema import Dirty, block_of
from router.index.summary import Ripe, ages, shadows, variants

MOST_BYTES = 512 << 20  # of columns kept in memory: some eight million requests
_MOST_AGES = 4
# By the sequence: the plus keeps SQLite from walking through all predictions of the model.
_SPANS = """
SELECT phase, MIN(epoch), MAX(epoch), COUNT(*), MAX(seq) FROM predictions WHERE seq >= ? AND seq < ? AND +model = ?
GROUP BY phase
"""
_ENDS = """
SELECT (SELECT MIN(seq) FROM predictions WHERE model = ?1 AND phase = ?2),
    (SELECT MAX(seq) FROM predictions WHERE model = ?1 AND phase = ?2)
"""


class _Known(NamedTuple):
    metrics: PhaseMetrics
    newest: float  # time of its youngest request
    clock: float

    def holds(self, ripe: Ripe) -> bool:
        """Whether time alone has changed nothing: no request has ripened since."""
        return ripe.age <= 0 or ripe.clock == self.clock or self.newest <= min(ripe.clock, self.clock) - ripe.age


class MetricsReader:
    """
    Compute the metrics document; what did not change is neither read nor computed again.

    Args:
        task_of: Task of a model, so that loss and correctness are defined.
        weights_of: Parts per million per variant of a phase's newest plan.
        most_bytes: So much is kept in memory, of the phases last read.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        task_of: Callable[[str], Task],
        weights_of: Callable[[str, str], dict[str, int]],
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._db, self._task_of, self._weights_of = connection, task_of, weights_of
        self._names = Names()
        self._blocks = _Blocks(most_bytes)
        self._spans = _Spans(connection)
        self._known: dict[tuple[str, str], dict[float, _Known]] = {}
        self._computed: set[tuple[str, str]] = set()

    def forget(self, dirty: Iterable[Dirty]) -> None:
        """These blocks of these phases changed."""
        for model, phase, block in dirty:
            self._known.pop((model, phase), None)
            self._blocks.drop((model, phase), block)
            self._spans.drop(model, block)

    def model(self, model: str, epoch: int, unlogged: int = 0, *, min_label_age: float = 0.0) -> ModelMetrics:
        """
        Everything of one model, phases newest last.

        Args:
            min_label_age: Leave labels and KPIs of requests younger than this out, in seconds
                of the model's clock.
        """
        phases = self._spans.of(model)
        counts = dict(self._db.execute("SELECT name, n FROM counts WHERE model = ? AND n > 0", (model,)).fetchall())
        newest = max((span.newest for span in phases.values()), default=0)
        ripe = Ripe(self._clock(newest), min_label_age)
        found = [self._phase(model, phase, span.first, span.last, ripe) for phase, span in phases.items()]
        old, young = found[:-1], found[-1:]
        self._keep(model, old, ripe)
        return ModelMetrics(
            model=model,
            epoch=epoch,
            phases=(*map(_ageless, old), *(self._aged(model, phase, ripe) for phase in young)),
            predictions=sum(span.size for span in phases.values()),
            unlogged=unlogged,
            outcomes=counts,
            sequence=newest,
            clock=ripe.clock,
            min_label_age_s=min_label_age,
        )

    def phase(self, model: str, phase: str, first: int, last: int) -> PhaseMetrics:
        """One phase, from the cache if nothing changed."""
        newest = self._db.execute(_ENDS, (model, phase)).fetchone()[1]
        return self._phase(model, phase, first, last, Ripe(self._clock(newest or 0)))

    def _phase(self, model: str, phase: str, first: int, last: int, ripe: Ripe) -> PhaseMetrics:
        known = self._known.setdefault((model, phase), {})
        if ripe.age not in known or not known[ripe.age].holds(ripe):
            while len(known) >= _MOST_AGES:
                del known[next(iter(known))]
            known[ripe.age] = self._recalled(model, phase, ripe) or self._compute(model, phase, ripe)
        return msgspec.structs.replace(known[ripe.age].metrics, first_epoch=first, last_epoch=last)

    def _recalled(self, model: str, phase: str, ripe: Ripe) -> _Known | None:
        kept = summaries.recall(self._db, model, phase) if ripe.age <= 0 else None
        if kept is None:
            return None
        # Of no clock: should it be the newest phase, its requests have grown older.
        return _Known(msgspec.structs.replace(kept, weights=self._weights_of(model, phase)), -math.inf, math.nan)

    def _keep(self, model: str, phases: Iterable[PhaseMetrics], ripe: Ripe) -> None:
        """Only those that are over: the newest one changes with every request."""
        if ripe.age <= 0:
            fresh = [_ageless(each) for each in phases if (model, each.phase) in self._computed]
            summaries.keep(self._db, model, fresh)
            self._computed -= {(model, each.phase) for each in fresh}

    def _compute(self, model: str, phase: str, ripe: Ripe) -> _Known:
        task, columns = self._task_of(model), self._columns(model, phase)
        self._computed.add((model, phase))
        metrics = PhaseMetrics(
            phase=phase,
            first_epoch=0,
            last_epoch=0,
            weights=self._weights_of(model, phase),
            variants=variants(columns, task, self._names, ripe),
            shadows=shadows(columns, task, self._names, ripe),
        )
        return _Known(metrics, float(columns.rows("time").max(initial=-math.inf)), ripe.clock)

    def _aged(self, model: str, phase: PhaseMetrics, ripe: Ripe) -> PhaseMetrics:
        """Requests grow older although nothing of their phase changed."""
        if self._known[model, phase.phase][ripe.age].clock == ripe.clock:
            return phase
        columns = self._columns(model, phase.phase)
        aged = {
            name: msgspec.structs.replace(variant, ages=ages(columns, self._names.codes[name], ripe.clock))
            for name, variant in phase.variants.items()
        }
        return msgspec.structs.replace(phase, variants=aged)

    def _columns(self, model: str, phase: str) -> Columns:
        first, last = self._db.execute(_ENDS, (model, phase)).fetchone()
        if first is None:
            return Columns([])
        task, blocks = self._task_of(model), []
        for block in range(block_of(first), block_of(last) + 1):
            found = self._blocks.get((model, phase), block)
            if found is None:
                found = read_block(self._db, model, phase, block, task=task, names=self._names)
                self._blocks.keep((model, phase), block, found)
            blocks.append(found)
        return Columns(blocks)

    def _clock(self, sequence: int) -> float:
        row = self._db.execute("SELECT time FROM predictions WHERE seq = ?", (sequence,)).fetchone()
        return row[0] if row else 0.0


def _ageless(phase: PhaseMetrics) -> PhaseMetrics:
    variants = {name: msgspec.structs.replace(variant, ages={}) for name, variant in phase.variants.items()}
    return msgspec.structs.replace(phase, variants=variants)


class _Span(NamedTuple):
    """Least and greatest epoch, number and newest sequence of some predictions."""

    first: int
    last: int
    size: int
    newest: int

    def joined(self, other: "_Span") -> "_Span":
        first, last = min(self.first, other.first), max(self.last, other.last)
        return _Span(first, last, self.size + other.size, max(self.newest, other.newest))


class _Spans:
    """Which phases the log holds; blocks that did not change are not counted again."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._kept: dict[tuple[str, int], dict[str, _Span]] = {}

    def of(self, model: str) -> dict[str, _Span]:
        """Phases of a model, oldest epoch first."""
        [[newest]] = self._db.execute("SELECT IFNULL(MAX(seq), 0) FROM predictions")
        phases: dict[str, _Span] = {}
        for block in range(block_of(newest) + 1):
            for phase, span in self._block(model, block).items():
                phases[phase] = phases[phase].joined(span) if phase in phases else span
        return dict(sorted(phases.items(), key=lambda item: (item[1].first, item[0])))

    def drop(self, model: str, block: int) -> None:
        self._kept.pop((model, block), None)

    def _block(self, model: str, block: int) -> dict[str, _Span]:
        if (model, block) not in self._kept:
            rows = self._db.execute(_SPANS, (schema.BLOCK * block, schema.BLOCK * (block + 1), model))
            self._kept[model, block] = {phase: _Span(*numbers) for phase, *numbers in rows}
        return self._kept[model, block]


class _Blocks:
    """Blocks of phases, up to a number of bytes; the phase that was read longest ago goes first."""

    def __init__(self, most: int) -> None:
        self._most, self._bytes = most, 0
        self._phases: dict[tuple[str, str], dict[int, Block]] = {}

    def get(self, phase: tuple[str, str], block: int) -> Block | None:
        return self._phases.get(phase, {}).get(block)

    def keep(self, phase: tuple[str, str], block: int, found: Block) -> None:
        self._phases[phase] = self._phases.pop(phase, {})  # the newest one stands last
        while self._bytes + found.size > self._most and (oldest := next(iter(self._phases))) != phase:
            self._bytes -= sum(block.size for block in self._phases.pop(oldest).values())
        if self._bytes + found.size <= self._most:  # else it is read again each time: slower, in the same memory
            self._phases[phase][block] = found
            self._bytes += found.size

    def drop(self, phase: tuple[str, str], block: int) -> None:
        gone = self._phases.get(phase, {}).pop(block, None)
        self._bytes -= gone.size if gone is not None else 0
