"""What Prefect's server takes as parameters of our flows; validated by Prefect's own validator."""

import json

import pytest
from prefect.utilities.schema_tools.validation import ValidationError, validate

from flows.ops.deployments import load_flow, prefect_yaml, read_deployments
from flows.ops.form import form_of

DEPLOYMENTS = read_deployments(prefect_yaml())


@pytest.fixture(params=DEPLOYMENTS, ids=lambda one: one["name"])
def deployment(request):
    return request.param


def refusal(schema, parameters):
    with pytest.raises(ValidationError) as refused:
        validate(parameters, schema, raise_on_error=True, allow_none_with_default=True)
    return str(refused.value)


def test_what_the_file_sends_is_taken(deployment):
    schema = form_of(load_flow(deployment["entrypoint"]))

    assert validate(deployment.get("parameters", {}), schema, raise_on_error=True) == []


def test_a_name_that_no_parameter_has_is_refused_by_name(deployment):
    schema = form_of(load_flow(deployment["entrypoint"]))

    assert "'frobnicate'" in refusal(schema, {"frobnicate": 1})
    assert "ud800" in refusal(schema, {"\ud800": 1})


@pytest.mark.parametrize("text", ["\ud800", "asked for\udfff", "a\x00b"])
def test_text_that_the_server_could_not_give_back_is_refused(deployment, text):
    schema = form_of(load_flow(deployment["entrypoint"]))
    texts = [name for name, one in schema["properties"].items() if "string" in json.dumps(one) and "enum" not in one]
    assert texts

    for name in texts:
        refusal(schema, {name: text}).encode()


@pytest.mark.parametrize("text", ["plain", "Größe 🎉", "two\nlines"])
def test_any_other_text_is_a_reason(text):
    schema = form_of(load_flow("flows.rollout.rollback.rollback"))

    assert validate({"reason": text}, schema, raise_on_error=True) == []
