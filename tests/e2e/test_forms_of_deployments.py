"""Every deployment of prefect.yaml, started from its form as people start it."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from flows.ops.deployments import prefect_yaml, read_deployments

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900), pytest.mark.filterwarnings("default")]
NAMES = [one["name"] for one in read_deployments(prefect_yaml())]
UNKNOWN = {"model": "no-such-model", "rollout": "r-9999", "run": "no-such-run"}
"""What nobody has registered; the first of these fields that a form has is filled with it."""
LONGEST_S = 120.0
AT_ONCE = 4


@pytest.fixture(scope="module")
def known(prefect) -> dict[str, Any]:
    """Deployments by name; no schedule starts them meanwhile."""
    found = {one.name: one for one in prefect.read_deployments(limit=200)}
    for one in found.values():
        for schedule in one.schedules:
            prefect.update_deployment_schedule(one.id, schedule.id, active=False)
    return found


@pytest.fixture(scope="module")
def by_default(known, pages, prefect):
    """Every form sent as it opens; the ends of the runs."""

    def send(name):
        pages.form(name)
        pages.shot(f"form-{name}")
        return pages.submit()

    return _sent(prefect, send)


@pytest.fixture(scope="module")
def of_nothing(by_default, pages, prefect):
    """Every form with something in it that nobody has registered."""

    def send(name):
        pages.form(name)
        wanted = next((label for label in UNKNOWN if label in pages.fields()), None)
        if wanted is None:
            return None
        pages.fill(wanted, UNKNOWN[wanted])
        return pages.submit()

    return _sent(prefect, send)


def _sent(prefect, send):
    """The answer of every form and the last state of its run, by deployment; a few at a time."""
    ends = {}
    for names in (NAMES[first : first + AT_ONCE] for first in range(0, len(NAMES), AT_ONCE)):
        answers = {name: answer for name in names if (answer := send(name)) is not None}
        deadline = time.monotonic() + LONGEST_S
        for name, answer in answers.items():
            ends[name] = (answer, _end(prefect, answer.run, deadline) if answer.run else None)
    return ends


def _end(prefect, run, deadline):
    while not (found := prefect.read_flow_run(run)).state.is_final() and time.monotonic() < deadline:
        time.sleep(0.3)
    return found


def test_the_page_lists_what_the_file_lists(pages, known):
    assert sorted(known) == sorted(NAMES)
    assert set(pages.deployments()) <= set(NAMES)
    pages.shot("deployments")


@pytest.mark.parametrize("name", NAMES)
def test_a_form_sent_as_it_opens_starts_a_run_that_ends_well_or_with_a_refusal(by_default, name):
    answer, run = by_default[name]

    assert answer.run is not None, answer.said
    said = run.state.message or ""
    assert run.state.is_completed() or _refused(said), f"{run.state.name}: {said}"


@pytest.mark.parametrize("name", NAMES)
def test_a_run_about_what_nobody_has_registered_says_so_within_seconds(of_nothing, pages, name):
    if name not in of_nothing:
        pytest.skip("its form asks for no name")
    answer, run = of_nothing[name]
    said = run.state.message if run else answer.said

    assert any(value in said for value in UNKNOWN.values()), said
    assert run is None or (run.state.is_failed() and _refused(said)), f"{run.state.name}: {said}"
    if run is not None:
        assert (run.end_time - run.start_time).total_seconds() < 20
        pages.run(answer.run)
        assert any(value in pages.message() for value in UNKNOWN.values())
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
