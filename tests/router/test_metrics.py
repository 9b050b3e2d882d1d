"""One scrape tells of all workers, whichever answers, and however many were killed."""

from prometheus_client.parser import text_string_to_metric_families
from router_making import plan_of

from router.board import Board
from router.breaker import Circuit
from router.metrics import exposition
from router.report import Report, Seen
from router.tally import Tallies


def counted(answered=0, raised=0, phase="canary", **changes):
    tallies = Tallies()
    tally = tallies.of(plan_of(phase=phase), "challenger")
    for _ in range(answered):
        tally.answered(1, 1, 0.3)
    for _ in range(raised):
        tally.fell_back("raised", 1, 1, 0.3)
    return Report(**({"epochs": {"m": 2}, "tallies": list(tallies)} | changes))


def scraped(*reports, alive=True):
    seen = [Seen(slot, 1, alive, 0.0, report) for slot, report in enumerate(reports)]
    return samples(exposition(seen))


def samples(text):
    families = text_string_to_metric_families(text.decode())
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_counts_of_all_workers_and_phases_are_added():
    found = scraped(counted(3, 1), counted(4, 2), counted(10, 0, phase="before"))

    of = ("challenger", "v1.1.0")
    assert found["understudy_predictions_total", "m", "served", *of] == 17
    assert found["understudy_predictions_total", "m", "fallback", *of] == 3
    assert found["understudy_failures_total", "m", "raised", *of] == 3
    assert found["understudy_latency_ms_count", "m", *of] == 17
    assert found["understudy_latency_ms_bucket", "0.5", "m", *of] == 17
    assert found["understudy_latency_ms_bucket", "0.25", "m", *of] == 0
    assert found["understudy_workers",] == 3


def test_the_dead_are_counted_but_tell_nothing_of_the_present():
    open_one = [("m", "canary", "challenger", "v1.1.0", Circuit(1.0, 1.0, 0.0))]
    found = scraped(counted(5, unlogged=2, circuits=open_one), alive=False)

    assert found["understudy_predictions_total", "m", "served", "challenger", "v1.1.0"] == 5
    assert found["understudy_unlogged_total",] == 2
    assert found["understudy_workers",] == 0
    assert not any(name[0] in ("understudy_plan_epoch", "understudy_breakers_open") for name in found)


def test_the_present_is_that_of_the_slowest_worker():
    open_one = [("m", "canary", "challenger", "v1.1.0", Circuit(1.0, 1.0, 0.0))]
    found = scraped(counted(circuits=open_one, stopped={"m": "it fails"}), counted(epochs={"m": 3}, circuits=open_one))

    assert found["understudy_plan_epoch", "m"] == 2
    assert found["understudy_breakers_open", "m", "challenger"] == 2
    assert found["understudy_stopped", "m"] == 1
    assert found["understudy_champion_failing", "m"] == 0


def test_copies_of_shadows_are_shown_by_what_became_of_them():
    found = scraped(Report(role="shadow", copies={"m": {"v1.1.0": {"scored": 7, "lag": 2}}}))

    assert found["understudy_shadow_copies_total", "m", "scored", "v1.1.0"] == 7
    assert found["understudy_shadow_copies_total", "m", "lag", "v1.1.0"] == 2


def test_a_torn_slot_breaks_no_scrape(tmp_path):
    torn, whole = Board.open(tmp_path, "worker"), Board.open(tmp_path, "worker")
    torn.publish(counted(5))
    whole.publish(counted(3))
    start = torn._buffer(torn.slot, 0)
    torn._memory[start : start + 131_072] = b"\xff" * 131_072

    found = samples(exposition(Board.open(tmp_path, "control").read()))

    assert found["understudy_predictions_total", "m", "served", "challenger", "v1.1.0"] == 3
