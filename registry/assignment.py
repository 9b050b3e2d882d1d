"""
Who gets what, and why: portable, monotone, for ever.

Source:
    Unleash client-specification >= 5.0.2, variant stickiness rule:
    murmur3_x86_32 of "salt:key" with seed 86028157, modulo the total weight, plus 1.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple, Protocol

import mmh3
from msgspec import UnsetType

from registry.errors import InvalidRecord

TOTAL = 1_000_000
VARIANT_SEED = 86028157
ENROLMENT_SEED = 0

Reason = Literal["bucket", "forced", "layer", "holdout", "no_weight", "missing_key", "empty_key", "unusable_key"]
Stretch = tuple[str, int, int]
"""Name of a layer, and the first and last of its 1,000,000 places that an experiment has taken."""


class Assignment(NamedTuple):
    """
    One decision.

    Attributes:
        variant: Who should answer.
        bucket: 1 to the total weight; None when the key was not bucketed.
        enrolled: Whether the key counts in statistics of the experiment.
        reason: Why this variant.
    """

    variant: str
    bucket: int | None
    enrolled: bool
    reason: Reason


_hash = mmh3.mmh3_32_uintdigest  # takes bytes only


def bucket_of(salt: str, key: str, *, total: int = TOTAL, seed: int = VARIANT_SEED) -> int:
    """Hash bytes, never str (mmh3 crashes on a lone surrogate); 1 to *total*."""
    return _hash(f"{salt}:{key}".encode(), seed) % total + 1


def layer_place(layer: str, key: str) -> int:
    """Where *key* stands in a layer, 1 to 1,000,000; the same for every model, whatever its salt."""
    return bucket_of(layer, key, seed=ENROLMENT_SEED)


def usable_key(key: object) -> tuple[str | None, Reason]:
    """Text that can be hashed, or None with the reason."""
    if key is None:
        return None, "missing_key"
    if isinstance(key, bool) or not isinstance(key, str | int):
        return None, "unusable_key"
    if key == "":
        return None, "empty_key"
    try:
        text = str(key)  # refuses integers of thousands of digits
        text.encode()  # refuses lone surrogates
    except ValueError:
        return None, "unusable_key"
    return text, "bucket"


def assign(
    key: object,
    *,
    salt: str,
    slices: Sequence[tuple[str, int]],
    forced: Mapping[str, Iterable[str]] | None = None,
    enrolment: int = 100,
    layer: Stretch | None = None,
    default: str = "champion",
) -> Assignment:
    """
    Choose the variant that answers *key*.

    Args:
        key: Stable caller id, e.g. a customer number; not a request id. A string
            as it is, an integer as decimal text; anything else goes to *default*.
        salt: Names the experiment; must not contain ":".
        slices: (variant, weight) in the order they are walked.
        forced: Keys that always get a variant; not enrolled.
        enrolment: Whole percent of keys that take part.
        layer: Only keys whose place in the layer lies in this stretch take part.
        default: Who answers keys that take no part.
    """
    text, reason = usable_key(key)
    if text is None:
        return Assignment(default, None, False, reason)
    for variant, keys in (forced or {}).items():
        if text in keys:
            return Assignment(variant, None, False, "forced")
    total = sum(weight for _, weight in slices)
    barred = _barred(text, salt, enrolment, layer, total)
    if barred is not None:
        return Assignment(default, None, False, barred)
    bucket = bucket_of(salt, text, total=total)
    running = 0
    for variant, weight in slices:
        running += weight
        if weight and running >= bucket:
            return Assignment(variant, bucket, True, "bucket")
    raise AssertionError("unreachable: the bucket never exceeds the total")


def _barred(key: str, salt: str, enrolment: int, layer: Stretch | None, total: int) -> Reason | None:
    if layer is not None and not layer[1] <= layer_place(layer[0], key) <= layer[2]:
        return "layer"
    if enrolment < 100 and bucket_of(salt, key, total=100, seed=ENROLMENT_SEED) > enrolment:
        return "holdout"
    return None if total > 0 else "no_weight"


class _Slice(Protocol):
    @property
    def variant(self) -> str: ...

    @property
    def weight(self) -> int: ...


class _Layer(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def first(self) -> int: ...

    @property
    def last(self) -> int: ...


class _Plan(Protocol):
    @property
    def salt(self) -> str: ...

    @property
    def slices(self) -> Sequence[_Slice]: ...

    @property
    def forced(self) -> Mapping[str, Iterable[str]]: ...

    @property
    def enrolment(self) -> int: ...

    @property
    def layer(self) -> _Layer | UnsetType: ...


class Dealer:
    """
    Decide like `assign`, with all that does not depend on the key worked out before.

    Immutable, and may be shared by threads. Takes the arguments of `assign`.
    """

    __slots__ = ("_default", "_edges", "_enrolment", "_forced", "_layer", "_prefix", "_total", "_variants")

    def __init__(
        self,
        *,
        salt: str,
        slices: Sequence[tuple[str, int]],
        forced: Mapping[str, Iterable[str]] | None = None,
        enrolment: int = 100,
        layer: Stretch | None = None,
        default: str = "champion",
    ) -> None:
        weighty = [(variant, weight) for variant, weight in slices if weight]
        self._prefix = f"{salt}:".encode()
        self._edges = list(accumulate(weight for _, weight in weighty))
        self._variants = [variant for variant, _ in weighty]
        self._total = self._edges[-1] if self._edges else 0
        self._enrolment, self._default = enrolment, default
        self._layer = None if layer is None else (f"{layer[0]}:".encode(), layer[1], layer[2])
        self._forced: dict[str, Assignment] = {}
        for variant, keys in (forced or {}).items():
            for key in keys:
                self._forced.setdefault(key, Assignment(variant, None, False, "forced"))

    @classmethod
    def of(cls, plan: _Plan) -> "Dealer":
        """Work a traffic plan out."""
        layer = plan.layer
        return cls(
            salt=plan.salt,
            slices=[(part.variant, part.weight) for part in plan.slices],
            forced=plan.forced,
            enrolment=plan.enrolment,
            layer=None if isinstance(layer, UnsetType) else (layer.name, layer.first, layer.last),
        )

    def deal(self, key: object) -> Assignment:
        """Choose the variant that answers *key*, and say why; never raises."""
        if key.__class__ is not str or not key:
            return self._unusual(key)
        try:
            raw = key.encode()
        except UnicodeEncodeError:
            return Assignment(self._default, None, False, "unusable_key")
        if key in self._forced:
            return self._forced[key]
        if self._layer is not None or self._enrolment < 100 or not self._total:
            barred = self._barred(raw)
            if barred is not None:
                return barred
        bucket = _hash(self._prefix + raw, VARIANT_SEED) % self._total + 1
        return Assignment(self._variants[bisect_left(self._edges, bucket)], bucket, True, "bucket")

    def _unusual(self, key: object) -> Assignment:
        text, reason = usable_key(key)
        return Assignment(self._default, None, False, reason) if text is None else self.deal(text)

    def _barred(self, raw: bytes) -> Assignment | None:
        if self._layer is not None:
            prefix, first, last = self._layer
            if not first <= _hash(prefix + raw, ENROLMENT_SEED) % TOTAL + 1 <= last:
                return Assignment(self._default, None, False, "layer")
        if self._enrolment < 100 and _hash(self._prefix + raw, ENROLMENT_SEED) % 100 + 1 > self._enrolment:
            return Assignment(self._default, None, False, "holdout")
        return None if self._total else Assignment(self._default, None, False, "no_weight")


def home_slices(shares: Mapping[str, int], *, homes: int = 1, champion: str = "champion") -> list[tuple[str, int]]:
    """
    Lay out slices so that each challenger grows only inside its own home.

    Args:
        shares: Parts per million per challenger, in a fixed order; never reorder
            or remove one while the salt lives (give it 0 instead).
        homes: How many challengers the experiment has room for; fixed with the salt.

    Returns:
        (variant, weight) pairs that add up to 1_000_000.

    Raises:
        InvalidRecord: If a share does not fit its home, or homes are too few.

    Example:
        >>> home_slices({"a": 10_000, "b": 50_000}, homes=2)
        [('a', 10000), ('champion', 490000), ('b', 50000), ('champion', 450000)]
    """
    if not 1 <= homes <= TOTAL:
        raise InvalidRecord.of("The layout", [f"{homes} homes"], "Make room for at least one challenger.")
    room, rest = divmod(TOTAL, homes)
    mistakes = [
        f"{n} ppm of {v!r} is not between 0 and its home of {room} ppm" for v, n in shares.items() if not 0 <= n <= room
    ]
    if champion in shares:
        mistakes.append(f"{champion!r} is the champion: it has no home, it fills the rest")
    if len(shares) > homes:
        mistakes.append(f"{len(shares)} challengers share {homes} homes")
    if mistakes:
        raise InvalidRecord.of("The layout", mistakes, "Start a new experiment with more homes, or lower the shares.")
    slices: list[tuple[str, int]] = []
    for variant, share in shares.items():
        slices += [(variant, share), (champion, room - share)]
    left = (homes - len(shares)) * room + rest
    return [*slices, (champion, left)] if left else slices
