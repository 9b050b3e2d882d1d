"""Every deployment of prefect.yaml, started from its form as people start it."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from prefect_pages import Answer

from flows.ops.deployments import prefect_yaml, read_deployments
from flows.ops.rule_names import HEAR_OF_FAILURES

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800), pytest.mark.filterwarnings("default")]
DEPLOYMENTS = read_deployments(prefect_yaml())
NAMES = [one["name"] for one in DEPLOYMENTS]
UNKNOWN = {"model": "no-such-model", "rollout": "r-9999", "run": "00000000-0000-4000-8000-000000000000"}
"""What nobody has registered; the first of these fields that a form has is filled with it."""
TYPED = ("monitor-on-demand", "rollback-on-demand")
"""Whose wrong name is typed on the page; of all others, one of each flow is sent as the page sends it."""
LONGEST_S = 400.0
AT_ONCE = 6
"""Runs that may be unfinished while the next is started: each is a process, and a small machine has two cores."""


@pytest.fixture(scope="module")
def known(prefect) -> Iterator[dict[str, Any]]:
    """Deployments by name; meanwhile no schedule starts them, and no alert begins because one fails."""
    found = {one.name: one for one in prefect.read_deployments(limit=200)}
    rules = prefect.read_automations_by_name(HEAR_OF_FAILURES)
    _switch(prefect, found, rules, active=False)
    yield found
    _switch(prefect, found, rules, active=True)


def _switch(prefect, found, rules, *, active):
    for one in found.values():
        for schedule in one.schedules:
            prefect.update_deployment_schedule(one.id, schedule.id, active=active)
    for rule in rules:
        prefect.resume_automation(rule.id) if active else prefect.pause_automation(rule.id)


@pytest.fixture(scope="module")
def started(known, pages, prefect):
    """The answer to every form: first all as they open, then those with something that nobody has registered."""
    answers = {}
    for name in NAMES:
        _wait_for(prefect, answers, most=AT_ONCE - 1)
        pages.form(name, known=known[name].id)
        pages.shot(f"form-{name}")
        answers[name, ""] = pages.submit()
    for name, field in _askable(known).items():
        _wait_for(prefect, answers, most=AT_ONCE - 1)
        answers[name, field] = _typed(pages, name, field) if name in TYPED else _sent(prefect, known[name], field)
    return answers


def _askable(known):
    """One deployment of each flow whose form asks for a name, and the field."""
    first = {}
    for one in sorted(DEPLOYMENTS, key=lambda one: one["name"] not in TYPED):
        fields = known[one["name"]].parameter_openapi_schema["properties"]
        field = next((field for field in UNKNOWN if field in fields), None)
        if field is not None:
            first.setdefault(one["entrypoint"], (one["name"], field))
    return dict(first.values())


def _typed(pages, name, field):
    pages.form(name)
    pages.fill(field, UNKNOWN[field])
    return pages.submit()


def _sent(prefect, deployment, field):
    parameters = deployment.parameters | {field: UNKNOWN[field]}
    return Answer(run=str(prefect.create_flow_run_from_deployment(deployment.id, parameters=parameters).id))


def _wait_for(prefect, answers, *, most):
    """Until at most so many runs are unfinished."""
    deadline = time.monotonic() + LONGEST_S
    left = [answer.run for answer in answers.values() if answer.run]
    while len(left) > most:
        left = [run for run in left if not prefect.read_flow_run(run).state.is_final()]
        assert time.monotonic() < deadline, f"unfinished after {LONGEST_S:g} s: {left}"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def ended(started, prefect):
    """How every run that was started ended."""
    _wait_for(prefect, started, most=0)
    return {key: prefect.read_flow_run(answer.run) for key, answer in started.items() if answer.run}


def test_the_page_lists_what_the_file_lists(pages, known):
    assert sorted(known) == sorted(NAMES)
    assert set(pages.deployments()) <= set(NAMES)
    pages.shot("deployments")


@pytest.mark.parametrize("name", NAMES)
def test_a_form_sent_as_it_opens_starts_a_run_that_ends_well_or_with_a_refusal(started, ended, name):
    assert started[name, ""].run is not None, started[name, ""].said
    run = ended[name, ""]
    said = run.state.message or ""

    assert run.state.is_completed() or _refused(said), f"{run.state.name}: {said}"


def test_a_run_about_what_nobody_has_registered_says_so_and_is_not_tried_again(started, ended):
    wrong = {}
    for (name, field), answer in started.items():
        if not field:
            continue
        run = ended.get((name, field))
        said = run.state.message if run else answer.said
        failed = run is None or (run.state.is_failed() and run.run_count == 1 and _refused(said))
        if not (failed and UNKNOWN[field] in said):
            wrong[name] = (run.state.name, run.run_count, said) if run else said

    assert sum(bool(field) for _, field in started) >= 10
    assert wrong == {}


@pytest.mark.parametrize("name", TYPED)
def test_the_page_of_a_refused_run_shows_the_refusal(started, ended, pages, name):
    field = next(field for known, field in started if known == name and field)
    pages.run(ended[name, field].id)

    assert UNKNOWN[field] in pages.message()
    pages.shot(f"refused-{name}")


def _refused(said: str) -> bool:
    return "Why: " in said and "Mend: " in said


@pytest.mark.parametrize("name", NAMES)
def test_the_server_takes_no_value_that_the_schema_of_a_form_forbids(known, settings, name):
    import httpx

    deployment, taken = known[name], []
    address = f"{settings.prefect_api_url}/deployments/{deployment.id}/create_flow_run"
    for field, value in _bad_values(deployment.parameter_openapi_schema):
        parameters = {**deployment.parameters, field: value}
        answer = httpx.post(address, json={"parameters": parameters}, trust_env=False)
        if answer.status_code != 409 or f"'{field}'" not in answer.text:
            taken.append((field, value, answer.status_code, answer.text[:200]))

    assert taken == []


def _bad_values(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """A wrong type for every parameter, an unknown choice, and a number beyond each bound."""
    for field, one in schema["properties"].items():
        yield field, {"no": "such type"}
        for kind in (_resolved(schema, part) for part in one.get("anyOf", one.get("allOf", [one]))):
            if "enum" in kind:
                yield field, "no such choice"
            if "minimum" in kind:
                yield field, kind["minimum"] - 1
            if "maximum" in kind:
                yield field, kind["maximum"] + 1


def _resolved(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    return schema["definitions"][part["$ref"].rsplit("/", 1)[-1]] if "$ref" in part else part
