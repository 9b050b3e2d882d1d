"""The schema of a flow's parameters: what Prefect's server takes from a form, and refuses before a run begins."""

from typing import Any

from prefect.flows import Flow
from prefect.utilities.callables import parameter_schema

UNWRITABLE = r"[\x00\ud800-\udfff]"
"""
NUL and halves of surrogate pairs. Prefect's server stores a parameter with the latter and can never answer with it:
from then on no worker is given any run.
"""


def form_of(flow: Flow[..., Any]) -> dict[str, Any]:
    """Schema of the parameters of *flow*; names that it does not know, and text that nobody can write, are refused."""
    schema = parameter_schema(flow).model_dump(exclude_unset=True)
    described: dict[str, Any] = _without_unwritable(schema)
    return described | {"additionalProperties": False}


def _without_unwritable(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_unwritable(one) for one in node]
    if not isinstance(node, dict):
        return node
    kept = {name: _without_unwritable(one) for name, one in node.items()}
    return kept | {"not": {"pattern": UNWRITABLE}} if _takes_any_text(kept) else kept


def _takes_any_text(node: dict[str, Any]) -> bool:
    return node.get("type") == "string" and "enum" not in node
