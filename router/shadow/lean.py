"""Score features that are still JSON: straight into the columns of a compiled scorer where there is one."""

from collections.abc import Sequence
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from registry.scoring.scorer import level_of
from router.models import Probabilities, Scores

_plain = msgspec.json.Decoder(list[dict[str, Any]])


def lean(scorer: Any) -> Scores:
    """Wrap a scorer of dictionaries; its rows are JSON objects then."""
    compiled = getattr(scorer, "compiled", None)
    return Plain(scorer) if compiled is None else Columns(scorer, compiled)


class Plain:
    """Decodes each row to a dictionary."""

    def __init__(self, scorer: Scores) -> None:
        self._scorer = scorer

    def score(self, rows: Sequence[Any]) -> Any:
        """One number per row."""
        return self._scorer.score(_plain.decode(_joined(rows)))

    def probabilities(self, rows: Sequence[Any]) -> Any:
        """One number per row and class, of a multi-class version."""
        return cast("Probabilities", self._scorer).probabilities(_plain.decode(_joined(rows)))

    def predictions(self, scores: Any) -> list[Any]:
        """Decide as the scorer does."""
        return self._scorer.predictions(scores)


class Columns(Plain):
    """Decodes all rows at once into one matrix."""

    def __init__(self, scorer: Scores, compiled: Any) -> None:
        super().__init__(scorer)
        self._compiled = compiled
        self._coded = [(place, table) for place, table in enumerate(compiled.levels) if table is not None]
        kinds = [float | None if table is None else Any for table in compiled.levels]
        # Fields are renamed: a feature may be called anything, a Python attribute may not.
        names = [f"f{place}" for place in range(len(kinds))]
        fields = [(name, kind, None) for name, kind in zip(names, kinds, strict=True)]
        rename = dict(zip(names, compiled.features, strict=True))
        row = msgspec.defstruct("Row", fields, rename=rename, gc=False)
        self._decoder = msgspec.json.Decoder(list[row])  # type: ignore[valid-type]

    def score(self, rows: Sequence[Any]) -> Any:
        """One number per row; what does not fit into columns takes the long way."""
        try:
            decoded = self._decoder.decode(_joined(rows))
        except msgspec.ValidationError:  # a number sent as text or as true
            return super().score(rows)
        out = np.empty(len(decoded), dtype=np.float64)
        self._compiled.scores(self._matrix(decoded), len(decoded), out)
        return out

    def _matrix(self, decoded: list[Any]) -> NDArray[np.float64]:
        values = map(msgspec.structs.astuple, decoded)
        if self._coded:
            values = map(self._codes, values)
        return np.array(list(values), dtype=np.float64).reshape(len(decoded), len(self._compiled.levels))

    def _codes(self, values: tuple[Any, ...]) -> tuple[Any, ...]:
        found = list(values)
        for place, table in self._coded:
            value = found[place]
            if value is not None:
                found[place] = table.get(level_of(value), len(table))
        return tuple(found)


def _joined(rows: Sequence[Any]) -> bytes:
    return b"[" + b",".join(rows) + b"]"
