"""The batched index says what one gets by taking one event after the other."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from index_making import Index, observed, predicted, shadowed

from registry.eventlog.events import Event, Observed, Predicted
from router.index.terms import Terms


class OneByOne:
    """What the index promises, written down without a database: slow, and short enough to be read."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self.predictions: dict[tuple[str, str], Predicted] = {}  # in the order in which they came first
        self.outcomes: dict[tuple[str, str, str], Observed] = {}
        self.parked: list[Observed] = []
        self.late: list[Observed] = []
        self.shadows: dict[tuple[str, str, str], float | None] = {}
        self.counts: dict[tuple[str, str], int] = {}

    def take(self, event: Event) -> None:
        if isinstance(event, Predicted):
            self._predicted(event)
        elif isinstance(event, Observed):
            self._observed(event)
        else:
            self.shadows.setdefault((event.model, event.id, event.version), event.score)

    def _predicted(self, event: Predicted) -> None:
        name = (event.model, event.id)
        if not any(known[:2] == name for known in self.outcomes):
            self.predictions[name] = event
        for item in [item for item in self.parked if item.model == event.model and self._concerns(item, event)]:
            prediction_id = self._find(item)
            if prediction_id is not None:
                self.parked.remove(item)
                self._count(item, "parked", -1)
                self._settle(item, prediction_id, waited=True)

    def _concerns(self, item: Observed, event: Predicted) -> bool:
        return item.prediction_id == event.id or (item.prediction_id is None and item.key == event.key)

    def _observed(self, item: Observed) -> None:
        prediction_id = self._find(item)
        if prediction_id is not None:
            self._settle(item, prediction_id)
        elif not self._kept_before(item):
            self.parked.append(item)
            self._count(item, "parked")

    def _find(self, item: Observed) -> str | None:
        if item.prediction_id is not None:
            return item.prediction_id if (item.model, item.prediction_id) in self.predictions else None
        found = [
            (event.time, place, event.id)
            for place, event in enumerate(self.predictions.values())
            if event.model == item.model
            and event.key == item.key
            and item.time - self._terms.attribution_s <= event.time <= item.time
        ]
        return max(found)[2] if found else None

    def _settle(self, item: Observed, prediction_id: str, *, waited: bool = False) -> None:
        place = (item.model, prediction_id, item.metric)
        same = [known for name, known in self.outcomes.items() if name[0] == item.model and known.id == item.id]
        first = self.outcomes.get(place) or (same[0] if same else None)
        born = self.predictions[item.model, prediction_id].time
        if first is not None:
            self._count(item, "duplicate" if first.value == item.value else "conflict")
        elif not waited and min(item.time, self._clock(item.model)) > born + self._terms.horizon_s:
            if not self._kept_before(item):
                self.late.append(item)
                self._count(item, "late")
        else:
            self.outcomes[place] = item
            self._count(item, "joined")

    def _clock(self, model: str) -> float:
        return [event.time for event in self.predictions.values() if event.model == model][-1]

    def _kept_before(self, item: Observed) -> bool:
        known = [one for one in [*self.parked, *self.late] if one.model == item.model and one.id == item.id]
        if known:
            self._count(item, "duplicate" if known[0].value == item.value else "conflict")
        return bool(known)

    def _count(self, item: Observed, name: str, n: int = 1) -> None:
        self.counts[item.model, name] = self.counts.get((item.model, name), 0) + n


DAY = 86_400.0
TERMS = Terms(attribution_days=3, label_horizon_days=6, parked_days=10_000)
MODELS, PREDICTIONS, KEYS = st.sampled_from("mmmn"), st.sampled_from(["p", "q", "r", "p|label"]), st.sampled_from("ab")
TIMES = st.integers(0, 12).map(lambda day: day * DAY)
PHASES = st.sampled_from([("first", 1), ("second", 2)])
PREDICTED = st.builds(
    lambda id_, key, time, model, phase: predicted(
        id_, key=key, time=time, model=model, phase=phase[0], epoch=phase[1]
    ),
    PREDICTIONS,
    KEYS | st.none(),
    TIMES,
    MODELS,
    PHASES,
)
# Own names, names that the router makes, and own names that look like those.
IDS = st.integers(0, 5).map(str) | st.sampled_from(["p|label", "q|label", "r|revenue", r"p\|label|label", "a|b|c"])
METRICS, VALUES = st.sampled_from(["label", "revenue"]), st.sampled_from([0.0, 1.0])
BY_ID = st.builds(
    lambda named, id_, prediction_id, metric, value, time, model: observed(
        id_ if named else f"{prediction_id}|{metric}".replace("p|l", r"p\|l", prediction_id == "p|label"),
        prediction_id=prediction_id,
        metric=metric,
        value=value,
        time=time,
        model=model,
    ),
    st.booleans(),
    IDS,
    PREDICTIONS,
    METRICS,
    VALUES,
    TIMES,
    MODELS,
)
BY_KEY = st.builds(
    lambda id_, key, metric, value, time, model: observed(
        id_, key=key, metric=metric, value=value, time=time, model=model
    ),
    IDS,
    KEYS,
    METRICS,
    VALUES,
    TIMES,
    MODELS,
)
SHADOWED = st.builds(
    lambda id_, score, model: shadowed(id_, score=score, model=model),
    PREDICTIONS,
    st.sampled_from([0.25, 0.75]),
    MODELS,
)
EVENTS = st.lists(st.one_of(PREDICTED, PREDICTED, BY_ID, BY_ID, BY_KEY, SHADOWED), max_size=30)


def same(index: Index, model: OneByOne) -> None:
    outcomes = "SELECT p.model, p.id, o.metric, o.value, o.time FROM outcomes o JOIN predictions p USING (seq)"
    assert sorted(index.db.execute(outcomes)) == sorted(
        (*name, item.value, item.time) for name, item in model.outcomes.items()
    )
    predictions = index.db.execute("SELECT model, id, key, time, phase, epoch FROM predictions ORDER BY seq").fetchall()
    assert predictions == [(e.model, e.id, e.key, e.time, e.phase, e.epoch) for e in model.predictions.values()]
    for table, items in (("parked", model.parked), ("aside", model.late)):
        kept = index.db.execute(f"SELECT model, id, value, time FROM {table} ORDER BY seq").fetchall()
        assert sorted(kept) == sorted((i.model, i.id, i.value, i.time) for i in items)
    shadows = {
        (m, id_, v): score for m, id_, v, score in index.db.execute("SELECT model, id, version, score FROM shadows")
    }
    assert shadows == model.shadows
    for name in "mn":
        assert index.counts(name) == {status: n for (of, status), n in model.counts.items() if of == name and n}


@settings(max_examples=120, deadline=None)
@given(EVENTS, st.sampled_from([200, 1000, 1 << 20]), st.sets(st.integers(0, 29), max_size=4))
def test_in_bites_of_any_size_and_over_restarts_the_index_is_what_one_by_one_gives(
    tmp_path_factory, events, bite, restarts
):
    folder, model = tmp_path_factory.mktemp("log"), OneByOne(TERMS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("router.index.ingest.BITE", bite)
        index = Index(folder, terms=TERMS)
        for number, event in enumerate(events):
            model.take(event)
            assert index.writer.append([event])
            if number in restarts:
                index.take()
                index.db.close()
                index = Index(folder, terms=TERMS, writer=index.writer)
        index.take()

    same(index, model)
    index.writer.close()


def test_the_log_is_read_by_the_index_as_it_was_written(tmp_path):
    event = predicted("p", features={"x": 1.5, "c": 'a "b" \\ ü', "n": None}, shadows=("v1.1.0", "v1.2.0"), weight=1)
    index = Index(tmp_path).take(event)

    [(features, shadows)] = index.db.execute("SELECT features, shadows FROM predictions")
    assert msgspec.json.decode(features) == event.features
    assert (type(shadows), msgspec.json.decode(shadows)) == (str, list(event.shadows))
