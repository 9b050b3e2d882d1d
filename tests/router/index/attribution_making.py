"""A log of several workers over a ramp and a rollback, with outcomes of every kind: helpers."""

import random
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from index_making import observed, predicted

from registry.eventlog.events import Observed, Predicted
from registry.eventlog.segments import OUTCOMES, PREDICTIONS, SegmentWriter

STEPS = [10, 25, 50, 75, 100, 0]
"""Share of the challenger per phase, in percent; the last one is after a rollback."""
HOUR = 3600.0
_CHUNK = 2000


@dataclass
class Sent:
    """
    What was sent, and what must become of it.

    Attributes:
        variant: Of each prediction.
        label: Of each prediction.
        counts: Outcomes by status.
    """

    variant: dict[str, str] = field(default_factory=dict)
    label: dict[str, float] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)


def write(events: Path, count: int, *, seed: int = 0) -> tuple[Sent, Iterator[None]]:
    """
    Write *count* predictions by four workers and their labels, a part each time the iterator is advanced.

    Labels are shuffled over all phases, 10 % come twice, 1 % again with another value; one in
    twenty is sent by key, and of 10 % most come before their predictions.
    """
    dice, sent = random.Random(seed), Sent()
    predictions = [_prediction(number, count, dice, sent) for number in range(count)]
    labels = [_label(event, dice, sent.label[event.id]) for event in dice.sample(predictions, count)]
    early, others = labels[: count // 10], labels[count // 10 :]
    again = dice.sample(labels, count // 10)
    wrong = [_contradiction(item) for item in dice.sample(labels, count // 100)]
    sent.counts.update(joined=count, duplicate=len(again), conflict=len(wrong))
    # Who contradicts comes later, in the same file: which value is the first one is then no matter of chance.
    return sent, _written(events, predictions, early, [*dice.sample(others + again, len(others + again)), *wrong])


def _prediction(number: int, count: int, dice: random.Random, sent: Sent) -> Predicted:
    step = number * len(STEPS) // count
    challenger = dice.random() * 100 < STEPS[step]
    fell_back = challenger and dice.random() < 0.02
    id_ = f"{dice.getrandbits(128):032x}"
    sent.variant[id_] = "champion" if fell_back or not challenger else "challenger"
    sent.label[id_] = float(dice.random() < 0.3)
    return predicted(
        id_,
        key=f"key-{number}",
        time=number * 10 * HOUR / count,
        phase=f"r-0001.{step}",
        epoch=step + 1,
        assigned="challenger" if challenger else "champion",
        served=sent.variant[id_],
        assigned_version="v1.1.0" if challenger else "v1.0.0",
        version="v1.0.0" if sent.variant[id_] == "champion" else "v1.1.0",
        error="deadline" if fell_back else None,
        score=dice.random(),
    )


def _label(event: Predicted, dice: random.Random, value: float) -> Observed:
    time = event.time + dice.random() * 48 * HOUR
    if dice.random() < 0.05:
        return observed(f"key:{event.key}|label|{time}", key=event.key, value=value, time=time)
    return observed(f"{event.id}|label", prediction_id=event.id, value=value, time=time)


def _contradiction(item: Observed) -> Observed:
    return msgspec.structs.replace(item, id=f"{item.id}!", value=1 - item.value)


def _written(
    events: Path, predictions: list[Predicted], early: list[Observed], later: list[Observed]
) -> Iterator[None]:
    workers = [SegmentWriter(events, PREDICTIONS, max_bytes=16 << 20) for _ in range(4)]
    outcomes = [SegmentWriter(events, OUTCOMES) for _ in range(2)]
    for start in range(0, len(predictions), _CHUNK):
        assert workers[start // _CHUNK % 4].append(predictions[start : start + _CHUNK])
        yield from _sent(outcomes, early[start // 10 : (start + _CHUNK) // 10])
    yield from _sent(outcomes, later)
    for writer in [*workers, *outcomes]:
        writer.close()


def _sent(writers: list[SegmentWriter], items: list[Observed]) -> Iterator[None]:
    for start in range(0, len(items), _CHUNK):
        chunk = items[start : start + _CHUNK]
        for number, writer in enumerate(writers):
            about = [
                item for item in chunk if zlib.crc32((item.prediction_id or item.key or "").encode()) % 2 == number
            ]
            assert writer.append(about)
        yield


def _owner(item: Observed) -> int:
    return zlib.crc32((item.prediction_id or item.key or "").encode())
