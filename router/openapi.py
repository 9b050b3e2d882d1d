"""The OpenAPI document of the serving port, and a page that shows it offline."""

from pathlib import Path
from typing import Any

import msgspec

from registry.records.live import Outcome, OutcomeStatus
from router.decode import FIRST, LAST, MAX_ID, MAX_ROWS

Schema = dict[str, Any]
_AGE = {"age": 41, "visits": 2, "channel": "search"}

_ROW: Schema = {
    "type": "object",
    "required": ["features"],
    "additionalProperties": False,
    "properties": {
        "key": {"description": "Stable caller id, a text or a whole number; decides the variant. Others: champion."},
        "features": {
            "description": "Every feature, by name; or all values by position. null is a missing value.",
            "oneOf": [
                {"type": "object", "additionalProperties": {"$ref": "#/components/schemas/Value"}},
                {"type": "array", "items": {"$ref": "#/components/schemas/Value"}},
            ],
        },
        "id": {
            "type": ["string", "null"],
            "minLength": 1,
            "maxLength": MAX_ID,
            "description": "Idempotency key; becomes the prediction id.",
        },
        "time": {
            "type": ["number", "null"],
            "minimum": FIRST,
            "exclusiveMaximum": LAST,
            "description": "Event time in epoch seconds; now if absent.",
        },
    },
    "examples": [{"key": "lead-17", "features": _AGE}, {"key": 17, "features": [41, None, "search"], "id": "order-1"}],
}
_ANSWER: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "prediction": {
            "type": ["number", "string", "null"],
            "description": "Class (0 or 1; of several its name), or value.",
        },
        "score": {
            "type": ["number", "null"],
            "description": "Probability of 1 (of several classes: of the predicted one), or value; null if it failed.",
        },
        "variant": {"type": "string", "description": "Who answered."},
        "assigned": {"type": "string", "description": "Whom the key belongs to."},
        "model_version": {"type": "string", "description": "Version that answered."},
        "epoch": {"type": "integer", "minimum": 1, "description": "Number of the plan that decided."},
        "prediction_id": {"type": "string", "description": "Send it back with the outcome."},
        "reason": {"type": "string", "description": "Why this variant, or why not the one that was assigned."},
    },
    "examples": [
        {
            "prediction": 0,
            "score": 0.3165,
            "variant": "champion",
            "assigned": "champion",
            "model_version": "v1.0.0",
            "epoch": 1,
            "prediction_id": "9abed5f20755414aa655328d3b3a5b2e",
            "reason": "bucket",
        }
    ],
}
_ANSWER["required"] = list(_ANSWER["properties"])
_ANSWER["properties"]["probabilities"] = {
    "type": "object",
    "additionalProperties": {"type": "number"},
    "description": "Of every class by name; only where there are several.",
}
_REFUSAL: Schema = {
    "type": "object",
    "description": "What did not happen, why (field, value and expectation of every mistake), and how to mend it.",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {"error": {"type": "string"}, "why": {"type": "string"}, "mend": {"type": "string"}},
    "examples": [
        {
            "error": "Nothing was predicted.",
            "why": "features.age is 'old', expected a finite number or null.",
            "mend": "Send every feature of the model by name, or all by position.",
        }
    ],
}
_FAILED: Schema = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {"type": "string"},
        "rows": {"type": "array", "items": {"$ref": "#/components/schemas/Answer"}},
    },
    "examples": [
        {"error": "The champion failed.", "rows": [_ANSWER["examples"][0] | {"prediction": None, "score": None}]}
    ],
}
_VALUE: Schema = {"type": ["number", "string", "boolean", "null"]}
_READY: Schema = {
    "type": "object",
    "required": ["status", "worker", "epochs"],
    "properties": {
        "status": {"enum": ["ready", "degraded"]},
        "worker": {"type": "integer", "description": "Process id of the worker that answers."},
        "epochs": {"type": "object", "additionalProperties": {"type": "integer"}, "description": "By model."},
        "troubles": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "Why it is degraded.",
        },
    },
}
_WHEN = {
    "400": "The body is no JSON, or no object.",
    "404": "No such model or path; `why` names the models there are.",
    "405": "The path takes another method.",
    "413": "More than 8 MiB.",
    "422": "Something is wrong with the rows; nothing was done.",
    "500": "The champion failed; `rows` has the prediction id of each row.",
    "503": "Nothing was done: the disk refused, the worker is about to stop, or the model did not load; `why` says it.",
    "504": "The champion, an upstream server, was too late; `rows` has the prediction id of each row.",
}


def _document() -> Schema:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Understudy router",
            "version": "1",
            "description": "Answers callers, and takes what became of the answers. Callers need no token.",
        },
        "paths": {
            "/v1/models/{model}/predict": {"post": _predict()},
            "/v1/models/{model}/outcomes": {"post": _outcomes()},
            "/healthz": {"get": _page("health", "Alive.", "application/json", {"type": "object"})},
            "/livez": {"get": _page("live", "Alive.", "application/json", {"type": "object"})},
            "/readyz": {"get": _page("ready", "Ready or degraded, and why.", "application/json", _READY)},
            "/metrics": {"get": _page("metrics", "Prometheus.", "text/plain", {"type": "string"})},
        },
        "components": {"schemas": _schemas()},
    }


def _predict() -> Schema:
    return {
        "operationId": "predict",
        "summary": "Answer one row, or a batch in `rows`; each row has its own key and decision.",
        "parameters": [_model()],
        "requestBody": {"required": True, **_json({"anyOf": [_ref("Row"), _batch(_ref("Row"), 1)]})},
        "responses": {
            "200": {
                "description": "Every row was answered.",
                **_json({"anyOf": [_ref("Answer"), _batch(_ref("Answer"), 1)]}),
            },
            **_refusals("400", "404", "405", "413", "422", "503"),
            "500": {"description": _WHEN["500"], **_json(_ref("Failed"))},
            "504": {"description": _WHEN["504"], **_json(_ref("Failed"))},
        },
    }


def _outcomes() -> Schema:
    one, many = _ref("Outcome"), {"type": "array", "items": _ref("Outcome"), "maxItems": MAX_ROWS}
    content = _json({"anyOf": [one, many, _batch(one, 0)]})["content"]
    content["application/x-ndjson"] = {"schema": {"type": "string", "description": "One outcome per line."}}
    status = _ref("OutcomeStatus")
    refused = _refusals("400", "404", "405", "413", "500", "503")
    refused["422"] = {
        "description": "The one outcome is invalid, or there are too many.",
        **_json({"anyOf": [status, _ref("Refusal")]}),
    }
    return {
        "operationId": "outcomes",
        "summary": "Labels and KPIs: one, a list, or NDJSON; acknowledged when durable.",
        "parameters": [_model()],
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": {"description": "A status per row.", **_json({"anyOf": [status, _batch(status, 0)]})},
            **refused,
        },
    }


def _page(name: str, summary: str, kind: str, schema: Schema) -> Schema:
    answers = {"200": {"description": summary, "content": {kind: {"schema": schema}}}}
    return {"operationId": name, "summary": summary, "responses": answers | _refusals("404", "405", "500", "503")}


def _refusals(*statuses: str) -> Schema:
    return {status: {"description": _WHEN[status], **_json(_ref("Refusal"))} for status in statuses}


def _model() -> Schema:
    return {
        "name": "model",
        "in": "path",
        "required": True,
        "description": "Name of the model.",
        "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,62}$"},
        "example": "leads",
    }


def _schemas() -> Schema:
    found = msgspec.json.schema_components([Outcome, OutcomeStatus], ref_template="#/components/schemas/{name}")[1]
    found["Outcome"]["properties"]["value"] = {
        "type": ["number", "string"],
        "description": "The label or KPI; of several classes the name or the number.",
    }
    own = {"Row": _ROW, "Answer": _ANSWER, "Refusal": _REFUSAL, "Failed": _FAILED, "Value": _VALUE}
    return {**found, **own}


def _json(schema: Schema) -> Schema:
    return {"content": {"application/json": {"schema": schema}}}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _batch(schema: Schema, least: int) -> Schema:
    rows = {"type": "array", "items": schema, "minItems": least, "maxItems": MAX_ROWS}
    return {"type": "object", "required": ["rows"], "properties": {"rows": rows}}


OPENAPI = msgspec.json.encode(_document())
DOCS = (Path(__file__).parent / "docs.html").read_bytes()
