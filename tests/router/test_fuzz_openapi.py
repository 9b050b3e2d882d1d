"""
Schemathesis on the OpenAPI document, against a real router: every answer is one that the document promises.

The document says what any model takes; here it is narrowed to what this one takes, so that what fits it must
be answered. UNDERSTUDY_FUZZ sets the examples per operation and kind of the long campaign (pytest -m long).
"""

import json
import os

import jsonschema
import pytest
import schemathesis
from hostile import workers
from hypothesis import HealthCheck, given, settings
from router_live import Live
from schemathesis import GenerationMode, checks

from router.decode import MAX_ROWS
from router.openapi import OPENAPI

pytestmark = pytest.mark.timeout(900)
EXAMPLES = int(os.environ.get("UNDERSTUDY_FUZZ", "2000"))
PROMISES = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
NARROW = {
    "oneOf": [
        {
            "type": "object",
            "required": ["x", "c"],
            "additionalProperties": False,
            "properties": {
                "x": {"type": ["number", "null"], "minimum": -1e30, "maximum": 1e30},
                "c": {"type": ["string", "null"], "maxLength": 20},
            },
        }
    ]
}


def narrowed() -> dict:
    found = json.loads(OPENAPI)
    found["components"]["schemas"]["Row"]["properties"]["features"] = NARROW
    for path in found["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", []):
                parameter["schema"] = {"const": "m"}
    return found


def fuzz(url: str, examples: int) -> int:
    """Send so many requests of each operation and kind; returns how many were sent."""
    schema = schemathesis.openapi.from_dict(narrowed())
    schema.config.update(base_url=url)
    operations = [found.ok() for found in schema.get_all_operations()]
    sent = sum(probe(operation, GenerationMode.POSITIVE, examples) for operation in operations)
    return sent + sum(probe(one, GenerationMode.NEGATIVE, examples) for one in operations if one.method == "post")


def probe(operation, kind: GenerationMode, examples: int) -> int:
    sent = 0

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=kind))
    def one(case):
        nonlocal sent
        sent += 1
        response = case.call()
        case.validate_response(response, checks=PROMISES)
        if kind is GenerationMode.POSITIVE and operation.path.endswith("predict"):
            assert response.status_code == 200, response.text

    one()
    return sent


def test_a_short_run_finds_no_answer_that_the_document_does_not_promise(live: Live):
    live.start("router")

    assert fuzz(live.settings.router_url, 10) >= 40
    assert live.http.get("/openapi.json").content == OPENAPI
    assert "<!doctype html>" in live.http.get("/docs").text
    assert live.http.get("/readyz").json()["status"] == "ready"


@pytest.mark.long
def test_a_long_run_finds_none_either_and_kills_no_worker(live: Live, capsys):
    live.start("router")
    before = workers(live.settings.router_port)
    sent = fuzz(live.settings.router_url, EXAMPLES)

    with capsys.disabled():
        print(f"\n{sent} requests, workers {before}")
    assert workers(live.settings.router_port) == before


@pytest.mark.parametrize("name", ["Answer", "Refusal", "Failed", "Row"])
def test_every_example_of_the_document_is_of_its_schema(name):
    schemas = json.loads(OPENAPI)["components"]["schemas"]
    whole = schemas[name] | {"components": {"schemas": schemas}}

    assert schemas[name]["examples"]
    for example in schemas[name]["examples"]:
        jsonschema.validate(example, whole)


def test_the_document_names_the_limits_and_the_statuses_that_hold():
    predict = json.loads(OPENAPI)["paths"]["/v1/models/{model}/predict"]["post"]
    batch = predict["requestBody"]["content"]["application/json"]["schema"]["anyOf"][1]

    assert batch["properties"]["rows"]["maxItems"] == MAX_ROWS
    assert set(predict["responses"]) == {"200", "400", "404", "405", "413", "422", "500", "503", "504"}
