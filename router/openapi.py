"""The OpenAPI document of the serving port, and a page that shows it offline."""

from typing import Any

import msgspec

from registry.records.live import Outcome, OutcomeStatus

_ROW = {
    "type": "object",
    "required": ["features"],
    "properties": {
        "key": {"description": "Stable caller id; decides the variant."},
        "features": {"description": "Object by feature name, or array by position."},
        "id": {"type": "string", "maxLength": 128, "description": "Idempotency key; becomes the prediction id."},
        "time": {"type": "number", "description": "Event time in epoch seconds; now if absent."},
    },
}
_ANSWER = {
    "type": "object",
    "properties": {
        "prediction": {"description": "Class or value."},
        "score": {"type": ["number", "null"]},
        "variant": {"type": "string", "description": "Who answered."},
        "assigned": {"type": "string", "description": "Who was drawn."},
        "model_version": {"type": "string"},
        "epoch": {"type": "integer"},
        "prediction_id": {"type": "string"},
        "reason": {"type": "string"},
    },
}


def _document() -> dict[str, Any]:
    schemas = msgspec.json.schema_components([Outcome, OutcomeStatus], ref_template="#/components/schemas/{name}")[1]
    model = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
    refused = {"description": "Refused: names field, value and expectation."}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Understudy router", "version": "1"},
        "paths": {
            "/v1/models/{model}/predict": {
                "post": {
                    "summary": "Answer one row, or a batch in `rows`.",
                    "parameters": [model],
                    "requestBody": _json({"oneOf": [_ROW, _batch(_ROW)]}),
                    "responses": {
                        "200": {"description": "Answered.", **_json({"oneOf": [_ANSWER, _batch(_ANSWER)]})},
                        **dict.fromkeys(("400", "404", "405", "413", "422"), refused),
                    },
                }
            },
            "/v1/models/{model}/outcomes": {
                "post": {
                    "summary": "Labels and KPIs: one, a list, or NDJSON; acknowledged when durable.",
                    "parameters": [model],
                    "requestBody": _json({"$ref": "#/components/schemas/Outcome"}),
                    "responses": {
                        "200": {"description": "A status per row.", **_json({})},
                        **dict.fromkeys(("400", "404", "405", "413", "422", "503"), refused),
                    },
                }
            },
            "/healthz": {"get": {"summary": "Alive.", "responses": {"200": {"description": "Yes."}}}},
            "/readyz": {
                "get": {"summary": "Ready or degraded, and why.", "responses": {"200": {"description": "State."}}}
            },
            "/metrics": {"get": {"summary": "Prometheus.", "responses": {"200": {"description": "Text."}}}},
        },
        "components": {"schemas": schemas},
    }


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def _batch(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": ["rows"], "properties": {"rows": {"type": "array", "items": schema}}}


OPENAPI = msgspec.json.encode(_document())
DOCS = b"""<!doctype html><meta charset="utf-8"><title>Understudy router</title>
<style>
body { font: 16px/1.5 system-ui; max-width: 50rem; margin: 2rem auto; padding: 0 1rem }
code { background: #8882; padding: .1em .3em }
</style>
<h1>Understudy router</h1>
<p>The contract is <a href="/openapi.json">/openapi.json</a>.</p>
<div id="paths"></div>
<script>
fetch("/openapi.json").then(answer => answer.json()).then(document_ => {
  for (const [path, verbs] of Object.entries(document_.paths))
    for (const [verb, operation] of Object.entries(verbs)) {
      const line = document.createElement("p"), code = document.createElement("code")
      code.textContent = verb.toUpperCase() + " " + path
      line.append(code, " ", operation.summary)
      document.getElementById("paths").append(line)
    }
})
</script>
"""
