"""Every rollback is written up, once it can be, whoever made it."""

import json
from datetime import timedelta

import pytest
from incident_making import HOUR, SECRET, START, Place, promoted, taken_back, watched

from flows.reports.incidents.gather import gather
from flows.reports.incidents.page import incident_html, incident_markdown
from flows.reports.incidents.write import is_written, pending, write_all, write_incident
from registry.home import Settings
from registry.store.registry import Registry


@pytest.fixture
def place(tmp_path):
    settings = Settings(home=tmp_path / "state").prepare()
    with Registry.open(settings.registry_url) as registry:
        yield Place(settings, registry)


def the(place):
    return place.registry.incidents("churn")[0]


def test_it_says_who_how_many_and_for_how_long(place):
    taken_back(place)

    story = gather(place, the(place))

    assert [(one.phase, one.share, one.answered, one.failed) for one in story.exposures] == [
        ("r-0001.0", 500_000, 490, 10),
        ("r-0001.promoted", 1_000_000, 900, 100),
    ]
    assert (story.answered, story.failed, story.seconds) == (1390, 110, 3690.0)
    assert [version.version for version in story.versions] == ["v1.1.0", "v1.0.0"]
    assert {test.name: test.verdict for test in story.tests}["errors"] == "broken"
    assert [epoch for epoch, _ in story.plans] == [3, 4]


def test_the_page_tells_the_cause_the_timeline_and_what_to_look_at(place):
    taken_back(place)

    page = incident_html(gather(place, the(place)))

    for said in (
        "v1.1.0 was taken off by the watch after its promotion (router) at 2026-01-05 11:01:30",
        "100 of the last 1000 requests failed",
        "It answered 1,390 requests in 62 minutes. 10 requests that it failed were answered by the champion",
        "100 requests got an error",
        "rollout promoted: r-0001",
        "Decision d-0009: <code>understudy decision d-0009</code>",
        "cd" * 32,
        "Why requests failed",
    ):
        assert said in page
    assert "https://" not in page
    assert "<script" not in page


def test_no_text_of_an_exception_is_in_it(place):
    taken_back(place)
    story = gather(place, the(place))

    assert SECRET.partition(": ")[2] not in incident_html(story) + incident_markdown(story)


def test_a_challenger_that_only_watched_harmed_nobody(place):
    promoted(place)
    place.registry.roll_back("churn", actor="ann", reason="no longer wanted", at=START + HOUR + timedelta(seconds=5))

    story = gather(place, the(place))

    assert (story.incident.kind, story.seconds) == ("person", 5.0)
    assert "no longer wanted" in incident_html(story)


def test_a_person_who_takes_the_champion_back_is_written_up_with_all_that_it_answered(place):
    watched(place)
    place.registry.roll_back("churn", actor="ann", reason="too many complaints", at=START + 3 * HOUR)

    story = gather(place, the(place))

    assert (story.answered, story.incident.kind, story.watch) == (1390, "person", None)
    assert "taken off by a person (ann)" in incident_html(story)
    assert "No test sounded an alarm: a person decided." in incident_markdown(story)


def test_writing_twice_changes_nothing_and_shows_once(place):
    taken_back(place)
    shown = []

    first = write_incident(place, the(place), lambda one, text: shown.append((one.id, text)))
    written = first.path.read_bytes()
    second = write_incident(place, the(place), lambda one, text: shown.append((one.id, text)))

    assert (first.fresh, second.fresh, first.path.read_bytes() == written) == (True, False, True)
    assert [name for name, _ in shown] == ["i-0001"]
    assert first.path == place.settings.reports_dir / "incidents" / "i-0001.html"
    assert str(first.path).replace("_", "") in shown[0][1].replace("_", "")


def test_a_process_that_is_killed_before_the_end_leaves_it_to_the_next(place):
    taken_back(place)

    def killed(one, text):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_incident(place, the(place), killed)
    shown = []
    done, troubles = write_all(place, ["churn"], lambda one, text: shown.append(one.id))

    assert ([one.fresh for one in done], troubles, shown) == ([True], [], ["i-0001"])


def test_without_the_router_it_is_written_all_the_same_and_completed_later(place):
    taken_back(place)
    place.client.away = True
    page = write_incident(place, the(place)).path
    assert "how many is not known" in page.read_text()
    assert pending(place, ["churn"]) == [the(place)]

    place.client.away = False
    done, _ = write_all(place, ["churn"])

    assert done[0].fresh
    assert "It answered 1,390 requests" in page.read_text()


def test_once_everybody_is_told_it_is_final(place):
    taken_back(place)
    write_all(place, ["churn"])
    assert not is_written(place.settings, the(place))
    for notice in place.registry.notices("churn"):
        place.registry.mark_notice(notice.key, status="sent", attempts=1, next_at=START)

    done, _ = write_all(place, ["churn"])

    assert done[0].fresh
    assert is_written(place.settings, the(place))
    assert pending(place, ["churn"]) == []
    assert json.loads(done[0].path.with_suffix(".json").read_bytes())["answered"] == 1390


def test_a_disk_that_is_full_is_said_and_the_next_look_writes_it(place):
    taken_back(place)
    folder = place.settings.reports_dir / "incidents"
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.write_text("a file where a folder must be")

    done, troubles = write_all(place, ["churn"])
    assert (done, len(troubles)) == ([], 1)
    folder.unlink()

    assert len(write_all(place, ["churn"])[0]) == 1


def test_what_a_guard_saw_stands_beside_what_it_allowed(place):
    promoted(place)
    at = START + HOUR + timedelta(seconds=5)
    place.registry.roll_back("churn", actor="router", reason="10 of 500 requests failed", at=at)

    story = gather(place, the(place))
    text = incident_markdown(story)

    assert [(test.name, test.n, test.limit, test.verdict) for test in story.tests[:1]] == [
        ("errors", 500, 0.02, "within")
    ]
    assert {test.name for test in story.tests} == {"errors", "latency", "loss"}
    assert "10 of 500 requests failed" in text
    assert "\n- **2026-01-05 10:00:00**; who rollout; what " in text
