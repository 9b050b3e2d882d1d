"""What becomes of runs that crash, fail or are late; the server is left out."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, State
from prefect.events.schemas.automations import Posture
from prefect.exceptions import ObjectNotFound

from flows.ops.alert import notice_of, tell_of
from flows.ops.automations import NAMES, rules
from flows.ops.recover import STUCK, _stuck, take_up, why_not
from flows.ops.rule_names import HEAR_OF_DELAYS, HEAR_OF_FAILURES
from flows.ops.runs import FROM, MOST, SAFE, TAKEN_UP, TOLD, Seen, find_run
from registry.home import Settings
from registry.store.registry import Registry

BY_DEPLOYMENT = "related:deployment:prefect.resource.id"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
RUN = UUID("00000000-0000-4000-8000-000000000001")


def seen(**changes):
    said = {
        "id": RUN,
        "name": "churn-drift",
        "flow": "monitor",
        "deployment": uuid4(),
        "deployment_name": "monitor-on-demand",
        "model": "churn",
        "parameters": {"model": "churn"},
        "tags": ("understudy", SAFE, TOLD, "extra-look:churn"),
        "state": "Crashed",
        "kind": "CRASHED",
        "since": NOW,
        "due": NOW - timedelta(minutes=7),
    }
    return Seen(**(said | changes))


class Client:
    """Remembers what was started, as the server does: a key that is known starts nothing."""

    def __init__(self):
        self.started = {}

    def create_flow_run_from_deployment(self, deployment, *, parameters, tags, idempotency_key):
        run = seen(name="again", tags=tuple(tags), parameters=parameters)
        return self.started.setdefault(idempotency_key, run)


def test_the_successor_has_the_parameters_and_says_whose_work_it_does():
    client = Client()
    said = take_up(client, seen())
    take_up(client, seen())

    (run,) = client.started.values()
    assert said == "churn-drift is taken up by again"
    assert run.parameters == {"model": "churn"}
    assert set(run.tags) == {"understudy", SAFE, TOLD, "extra-look:churn", f"{TAKEN_UP}1", f"{FROM}{RUN}"}


def test_a_work_that_crashes_again_and_again_is_given_up():
    client, run, generations = Client(), seen(), []
    while not why_not(run):
        take_up(client, run)
        run = client.started[f"{FROM}{run.id}"]._replace(id=uuid4())
        generations.append(run.generation)

    assert generations == [1, 2, MOST]
    assert sum(tag.startswith(FROM) for tag in run.tags) == 1
    assert why_not(run) == "it was taken up 3 times in a row"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"kind": "COMPLETED", "state": "Completed"}, "it is Completed, not crashed"),
        ({"deployment": None}, "it belongs to no deployment"),
        ({"tags": (TOLD,), "flow": "rollback"}, "runs of rollback are not repeated by themselves"),
    ],
)
def test_nothing_else_is_taken_up(changes, why):
    client = Client()

    assert take_up(client, seen(**changes)) == f"churn-drift is not taken up: {why}"
    assert client.started == {}


@pytest.mark.parametrize(
    ("changes", "key", "kind", "words"),
    [
        ({}, f"run.crashed:{RUN}", "run.crashed", "taken up again"),
        ({"tags": (SAFE, TOLD, f"{TAKEN_UP}3")}, f"run.crashed:{RUN}", "run.crashed", "3 times already"),
        ({"tags": (TOLD,), "flow": "rollback"}, f"run.crashed:{RUN}", "run.crashed", "Nobody repeats it"),
        ({"flow": "rollout"}, f"run.crashed:{RUN}", "run.crashed", "goes on where it was"),
        (
            {"kind": "SCHEDULED", "state": "Late", "late": True},
            "run.late:monitor-on-demand:churn:2026-03-02",
            "run.late",
            "7 minutes ago",
        ),
        (
            {"kind": "FAILED", "state": "TimedOut"},
            "run.failed:monitor-on-demand:churn:2026-03-02",
            "run.failed",
            "TimedOut",
        ),
    ],
)
def test_people_hear_what_happened_and_what_follows(changes, key, kind, words):
    notice = notice_of(seen(**changes), NOW)

    assert (notice.key, notice.kind, notice.model) == (key, kind, "churn")
    assert words in notice.body


@pytest.mark.parametrize(
    "changes",
    [{}, {"kind": "SCHEDULED", "state": "Late", "late": True}, {"kind": "FAILED", "state": "asked by Erika Muster"}],
)
def test_people_are_shown_the_page_of_a_run_and_not_what_somebody_called_it(changes):
    notice = notice_of(seen(name="for Erika Muster", **changes), NOW)

    assert "Erika" not in notice.title + notice.body
    assert notice.body.endswith(f"/runs/flow-run/{RUN}")


@pytest.mark.parametrize(
    ("kind", "state"), [("PENDING", "Pending"), ("RUNNING", "Running"), ("COMPLETED", "Completed")]
)
def test_a_run_that_has_begun_before_anybody_could_tell_was_late_all_the_same(kind, state):
    notice = notice_of(seen(kind=kind, state=state, late=True), NOW)

    assert (notice.kind, "7 minutes ago" in notice.body) == ("run.late", True)


def test_what_is_well_or_tells_of_itself_is_not_told():
    assert notice_of(seen(kind="COMPLETED", state="Completed"), NOW) is None
    assert notice_of(seen(kind="FAILED", state="Failed", flow="retrain"), NOW) is None


@pytest.mark.parametrize(
    ("by_hand", "said", "told"),
    [
        (True, "Model 'chrun' is unknown. Why: Known: churn. Mend: Name one of these.", False),
        (False, "Model 'chrun' is unknown. Why: Known: churn. Mend: Name one of these.", True),
        (True, "Flow run encountered an exception: ZeroDivisionError", True),
    ],
)
def test_of_a_form_that_was_mistyped_only_its_sender_hears(by_hand, said, told):
    run = seen(kind="FAILED", state="Failed", by_hand=by_hand, said=said)

    assert (notice_of(run, NOW) is not None) == told


def test_each_is_told_once_however_often_it_is_seen():
    settings = Settings().prepare()
    with Registry.open(settings.registry_url) as registry:
        for _ in range(3):
            tell_of(settings, registry, [seen(), seen(tags=(SAFE,), id=uuid4())], NOW)

        assert [one.key for one in registry.notices()] == [f"run.crashed:{RUN}"]


class Silent(Client):
    """Knows one run in each state, and heard of one of them a moment ago."""

    past = ()

    def __init__(self, living):
        super().__init__()
        self.living, self.states, self.removed = living, {}, None
        self.runs = {name: uuid4() for name in ("Pending", "Submitting", "Running")}

    def read_flow_runs(self, *, flow_run_filter, limit):
        wanted = flow_run_filter.state.name.any_
        return [self.read_flow_run(run) for name, run in self.runs.items() if name in wanted]

    def read_flow_run(self, run):
        name = next(name for name, one in self.runs.items() if one == run)
        kind = self.states.get(run, "RUNNING" if name == "Running" else "PENDING")
        state = State(type=kind, name=name, timestamp=NOW - STUCK - timedelta(seconds=1))
        return FlowRun(
            id=run, flow_id=UUID(int=1), name=name, deployment_id=UUID(int=2), state=state, expected_start_time=NOW
        )

    def read_flow_run_states(self, run):
        return [self.read_flow_run(run).state, *self.past]

    def read_deployment(self, deployment):
        if deployment == self.removed:
            raise ObjectNotFound(None)
        return SimpleNamespace(name="rollout-on-demand", tags=[])

    def read_flow(self, _):
        return SimpleNamespace(name="rollout")

    def request(self, method, path, *, json):
        ((name, asked),) = [(name, run) for name, run in self.runs.items() if str(run) in str(json)]
        assert (method, path, str(asked) in str(json)) == ("POST", "/events/filter", True)
        return SimpleNamespace(json=lambda: {"events": [{}] if name == self.living else []})

    def set_flow_run_state(self, run, state):
        self.states[run] = state.type


def test_whoever_lost_worker_and_process_has_crashed_though_no_rule_noticed():
    client = Silent(living="Running")
    found = [run.name for run in _stuck(client, NOW)]

    assert found == ["Pending", "Submitting"]
    assert set(client.states) == {client.runs["Pending"], client.runs["Submitting"]}
    assert [run.name for run in _stuck(Silent(living="Pending"), NOW)] == ["Submitting", "Running"]
    assert _stuck(client, NOW - timedelta(minutes=1)) == []


def test_a_run_that_was_late_is_known_by_its_past():
    client = Silent(living="Running")
    on_time = find_run(client, client.runs["Running"])
    client.past = [State(type="SCHEDULED", name="Late")]

    late = find_run(client, client.runs["Running"])
    assert (on_time.late, late.late) == (False, True)
    assert "9 minutes ago" in notice_of(late, NOW + timedelta(minutes=9)).body


def test_a_crashed_run_whose_deployment_was_removed_is_not_taken_up():
    client = Silent(living="Running")
    client.removed = UUID(int=2)
    run = find_run(client, client.runs["Pending"])

    assert (run.deployment, run.deployment_name) == (None, "")
    assert why_not(run._replace(kind="CRASHED")) == "it belongs to no deployment"


def test_the_rules_have_the_names_they_are_found_by_and_hand_the_run_on():
    deployed = {"recover/recover-every-10-minutes": uuid4(), "alert/alert-on-demand": uuid4()}
    found = {rule.name: rule for rule in rules(deployed)}

    assert tuple(found) == NAMES
    for rule, signs in zip(
        list(found.values())[:2], ({"heartbeat"}, {"Pending", "Submitting", "Running"}), strict=True
    ):
        assert rule.trigger.posture == Posture.Proactive
        assert rule.trigger.after == {f"prefect.flow-run.{sign}" for sign in signs}
    assert found[HEAR_OF_FAILURES].trigger.for_each == {BY_DEPLOYMENT, "prefect.state-message"}
    assert found[HEAR_OF_DELAYS].trigger.for_each == {BY_DEPLOYMENT}
    for rule in list(found.values())[2:]:
        (action,) = rule.actions
        assert rule.trigger.posture == Posture.Reactive
        assert action.parameters == {"run": "{{ flow_run.id | string }}"}
        assert action.deployment_id in deployed.values()
