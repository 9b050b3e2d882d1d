"""Rows into one request, its reply into scores, by the protocol of the upstream."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from registry.errors import InvalidRecord
from registry.records.upstream import NAMES, ROWS, Upstream
from registry.records.version import Feature
from registry.upstream.failed import UpstreamFailed
from registry.upstream.reply import at, numbers, parse, tensor_rows, tokens

Rows = Sequence[Mapping[str, Any]]
_encode = msgspec.json.encode
_MARK = _encode(ROWS)
_INSTANCES, _PREDICTIONS = {"instances": ROWS}, "/predictions"


class Mapper:
    """
    One upstream asked about one feature schema.

    Args:
        upstream: Where and how.
        features: In the order of the version.

    Raises:
        InvalidRecord: If the two do not fit.
    """

    def __init__(self, upstream: Upstream, features: Sequence[Feature]) -> None:
        mistakes = upstream.mistakes_for({feature.name: feature.kind for feature in features})
        if mistakes:
            raise InvalidRecord.of("The upstream", mistakes, "Correct upstream.json.")
        self.url = url_of(upstream)
        self._upstream = upstream
        self._features = tuple(features)
        self._pairs = [(feature.name, upstream.names.get(feature.name, feature.name)) for feature in features]
        self._before, self._after = self._template()
        self._shape = self._shapes()[upstream.form]
        self._within = tokens(upstream.score)
        self._scores = tokens(_PREDICTIONS if upstream.scores is None else upstream.scores)

    def body(self, rows: Rows) -> bytes:
        """
        Write one request.

        Args:
            rows: Each a mapping from feature name to number, text or None; other names are left out.
        """
        return self._before + _encode(self._shape(rows)) + self._after

    def scores(self, raw: bytes, rows: int) -> list[float]:
        """
        Read one reply.

        Args:
            raw: Its body.
            rows: How many were asked.

        Returns:
            One number per row; null is NaN.

        Raises:
            UpstreamFailed: "not_json" or "wrong_shape".
        """
        document = parse(raw)
        entries = self._output(document, rows) if self._upstream.protocol == "v2" else at(document, self._scores)
        return numbers(entries, rows, self._within)

    def _output(self, document: Any, rows: int) -> list[Any]:
        outputs, wanted = at(document, ["outputs"]), self._upstream.output
        if not isinstance(outputs, list) or not outputs:
            raise UpstreamFailed("wrong_shape", "there are no outputs")
        if wanted is None:
            return tensor_rows(outputs[0], rows)
        for output in outputs:
            if isinstance(output, dict) and output.get("name") == wanted:
                return tensor_rows(output, rows)
        raise UpstreamFailed("wrong_shape", f"there is no output {wanted!r}")

    def _template(self) -> tuple[bytes, bytes]:
        """The request around the rows, encoded once."""
        upstream, names = self._upstream, [name for _, name in self._pairs]
        if upstream.protocol == "json":
            template = _with_names(_INSTANCES if upstream.request is None else upstream.request, names)
        elif upstream.protocol == "mlflow":
            split = {"dataframe_split": {"columns": names, "data": ROWS}}
            template = split if upstream.form == "split" else {"inputs": ROWS}
        else:
            outputs = {"outputs": [{"name": upstream.output}]} if upstream.output else {}
            # MLServer reads tensors by column into a data frame only if it is told so; others ignore it.
            table = {"parameters": {"content_type": "pd"}} if upstream.form == "columns" else {}
            template = {**table, "inputs": ROWS, **outputs}
        before, _, after = _encode(template).partition(_MARK)
        return before, after

    def _shapes(self) -> dict[str, Callable[[Rows], Any]]:
        v2 = self._upstream.protocol == "v2"
        return {
            "named": self._named,
            "placed": self._placed,
            "split": self._placed,
            "columns": self._tensors if v2 else self._columns,
            "matrix": self._tensor if v2 else self._placed,
        }

    def _named(self, rows: Rows) -> list[dict[str, Any]]:
        return [{called: row.get(name) for name, called in self._pairs} for row in rows]

    def _placed(self, rows: Rows) -> list[list[Any]]:
        return [[row.get(name) for name, _ in self._pairs] for row in rows]

    def _columns(self, rows: Rows) -> dict[str, list[Any]]:
        return {called: [row.get(name) for row in rows] for name, called in self._pairs}

    def _tensor(self, rows: Rows) -> list[dict[str, Any]]:
        flat = [row.get(name) for row in rows for name, _ in self._pairs]
        shape = [len(rows), len(self._pairs)]
        return [{"name": self._upstream.input, "shape": shape, "datatype": "FP64", "data": flat}]

    def _tensors(self, rows: Rows) -> list[dict[str, Any]]:
        shape = [len(rows), 1]
        return [_tensor_of(called, feature, shape, rows) for feature, (_, called) in self._each()]

    def _each(self) -> list[tuple[Feature, tuple[str, str]]]:
        return list(zip(self._features, self._pairs, strict=True))


def url_of(upstream: Upstream) -> str:
    """Where the request goes."""
    if upstream.protocol == "json":
        return upstream.url
    base = upstream.url.rstrip("/")
    if upstream.protocol == "mlflow":
        return f"{base}/invocations"
    return f"{base}/v2/models/{quote(upstream.model or '', safe='')}/infer"


def _tensor_of(called: str, feature: Feature, shape: list[int], rows: Rows) -> dict[str, Any]:
    values = [row.get(feature.name) for row in rows]
    if feature.kind != "categorical":
        return {"name": called, "shape": shape, "datatype": "FP64", "data": values}
    # The protocol has no missing text.
    data = ["" if value is None else value for value in values]
    return {"name": called, "shape": shape, "datatype": "BYTES", "parameters": {"content_type": "str"}, "data": data}


def _with_names(template: Any, names: list[str]) -> Any:
    if template == NAMES:
        return names
    if isinstance(template, dict):
        return {key: _with_names(value, names) for key, value in template.items()}
    return [_with_names(item, names) for item in template] if isinstance(template, list | tuple) else template
