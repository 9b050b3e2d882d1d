"""Laws of the replay: nobody sees the future, and each batch is scored by the model that was in force."""

from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
import pytest
from backtest_making import HOUR, config, frame, setting, table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.backtest.engine import known_after, replay
from flows.backtest.errors import LookAhead
from flows.backtest.policies.features import FeatureDrifts
from flows.backtest.policies.losses import Adwin, ErrorRise
from flows.backtest.policies.protocol import Action, Blend, Window
from flows.backtest.policies.schedules import Every, Never
from flows.backtest.scoring import value
from flows.backtest.table import read


@dataclass
class Watcher:
    """Keeps every state, and tries a model each time."""

    name: str = "watcher"
    seen: list = field(default_factory=list)

    def decide(self, state, /):
        half = Window(start=0, stop=state.known // 2)
        self.seen.append((state, state.trial(Blend.of(half)).copy(), state.table()))
        return Action(retrain=state.number % 3 == 2, why="every third")


@dataclass
class Greedy:
    ahead: int
    name: str = "greedy"

    def decide(self, state, /):
        return Action(retrain=True, why="", blend=Blend.of(Window(start=0, stop=state.known + self.ahead)))


def altered(raw, first, seed):
    """The same rows before *first*, other ones from there on."""
    rng = np.random.default_rng(seed)
    count = raw.height - first
    later = pl.DataFrame(
        {
            "x": rng.normal(5, 3, size=count),
            "z": rng.normal(size=count),
            "place": rng.choice(["new", "a"], size=count),
            "y": rng.integers(0, 2, size=count),
        }
    )
    return pl.concat([raw.head(first), later.cast(raw.schema)])


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(2, 10), seed=st.integers(0, 99), which=st.sampled_from(["error", "adwin", "drift", "watcher"]))
def test_changing_the_future_changes_no_earlier_decision_nor_score(tmp_path_factory, cut, seed, which):
    make = {
        "error": lambda: ErrorRise(5.0),
        "adwin": lambda: Adwin(0.1),
        "drift": lambda: FeatureDrifts(config(), "ks"),
        "watcher": Watcher,
    }[which]
    raw, runs = frame(), []
    first = 400 + 100 * cut
    for rows in (raw, altered(raw, first, seed)):
        runs.append(replay(make(), setting(tmp_path_factory.mktemp("fits"), read(config(), rows))))

    one, other = runs
    assert one.scores[: first - 400].tolist() == other.scores[: first - 400].tolist()
    assert one.reasons[:cut] == other.reasons[:cut]
    assert [r for r in one.retrainings if r.batch < cut] == [r for r in other.retrainings if r.batch < cut]


def test_a_policy_is_told_labels_only_when_they_have_arrived(tmp_path):
    world = setting(tmp_path)
    watcher = Watcher()
    replay(watcher, world)

    for number, (state, trial, rows) in enumerate(watcher.seen):
        seen = 400 + 100 * (number + 1)
        assert (state.seen, rows.height, len(state.times), len(state.scores)) == (seen, seen, seen, seen - 400)
        assert state.known == len(state.labels) == seen - 48
        assert len(state.losses) == max(0, state.known - 400)
        assert state.edges[-1] == seen
        assert len(trial) == seen - state.known // 2


def test_without_delay_all_rows_seen_are_known(tmp_path):
    world = setting(tmp_path, replace(table(), delay=0.0))

    assert known_after(world, 0) == 500


@pytest.mark.parametrize("ahead", [1, 100])
def test_learning_from_labels_that_are_not_known_stops_the_replay(tmp_path, ahead):
    with pytest.raises(LookAhead, match="labels of 452 rows are known"):
        replay(Greedy(ahead), setting(tmp_path))


def test_learning_from_all_that_is_known_is_what_the_replay_does_by_itself(tmp_path):
    world = setting(tmp_path)

    assert replay(Greedy(0), world).scores.tolist() == replay(Every(1), world).scores.tolist()


def test_never_keeps_the_first_model_and_always_makes_one_for_every_later_batch(tmp_path):
    world = setting(tmp_path)
    never, always = replay(Never(), world), replay(Every(1), world)

    assert never.retrainings == []
    assert [one.batch for one in always.retrainings] == list(range(world.batches - 1))
    assert not np.isnan(always.scores).any()


def test_where_the_world_turns_over_always_beats_never_and_error_finds_the_turn(tmp_path):
    world = setting(tmp_path, window=200 * HOUR)
    never, always, error = (replay(policy, world) for policy in (Never(), Every(1), ErrorRise()))

    assert value(world, always.scores) > value(world, never.scores) + 0.2
    assert value(world, error.scores) > value(world, never.scores) + 0.1
    assert 4 <= error.retrainings[0].batch <= 6


def test_each_batch_is_scored_by_the_model_in_force(tmp_path):
    world = setting(tmp_path)
    run = replay(Every(5), world)
    model = run.retrainings[0].blend

    assert model.stop == 900 - 48
    expected = world.workshop.scores(model, 900, 1400)
    assert run.scores[500:1000].tolist() == expected.tolist()


def test_policies_share_fits_and_each_is_still_charged_for_its_own(tmp_path):
    world = setting(tmp_path)
    always, every = replay(Every(1), world), replay(Every(2), world)

    assert every.fitted < always.fitted
    assert len(list(tmp_path.iterdir())) == len(always.fitted) == world.batches


def test_a_blend_is_the_average_of_its_members(tmp_path):
    shop = setting(tmp_path).workshop
    one, two = Window(start=0, stop=300), Window(start=100, stop=400, half_life=50 * HOUR)
    members = [shop.scores(Blend.of(window), 400, 500) for window in (one, two)]

    assert shop.scores(Blend.of(one, two), 400, 500) == pytest.approx(np.mean(members, axis=0))


def test_fading_weights_follow_the_newest_rows(tmp_path):
    """Of rows before and after the turn, a short half-life believes the newer ones."""
    shop = setting(tmp_path).workshop
    labels = shop.table.labels[1200:]
    even, fading = (
        shop.scores(Blend.of(Window(start=0, stop=1200, half_life=life)), 1200, 1600) for life in (None, 60 * HOUR)
    )

    assert np.mean((fading > 0.5) == labels) > np.mean((even > 0.5) == labels) + 0.3
