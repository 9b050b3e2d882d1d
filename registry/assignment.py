"""
Who gets what, and why: portable, monotone, for ever.

Source:
    Unleash client-specification >= 5.0.2, variant stickiness rule:
    murmur3_x86_32 of "salt:key" with seed 86028157, modulo the total weight, plus 1.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import mmh3

from registry.errors import InvalidRecord

TOTAL = 1_000_000
VARIANT_SEED = 86028157
ENROLMENT_SEED = 0

Reason = Literal["bucket", "forced", "holdout", "no_weight", "missing_key", "empty_key", "unusable_key"]


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


def bucket_of(salt: str, key: str, *, total: int = TOTAL, seed: int = VARIANT_SEED) -> int:
    """Hash bytes, never str (mmh3 crashes on a lone surrogate); 1 to *total*."""
    return int(mmh3.hash(f"{salt}:{key}".encode(), seed, signed=False)) % total + 1


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
        default: Who answers keys that take no part.
    """
    text, reason = usable_key(key)
    if text is None:
        return Assignment(default, None, False, reason)
    for variant, keys in (forced or {}).items():
        if text in keys:
            return Assignment(variant, None, False, "forced")
    if enrolment < 100 and bucket_of(salt, text, total=100, seed=ENROLMENT_SEED) > enrolment:
        return Assignment(default, None, False, "holdout")
    total = sum(weight for _, weight in slices)
    if total <= 0:
        return Assignment(default, None, False, "no_weight")
    bucket = bucket_of(salt, text, total=total)
    running = 0
    for variant, weight in slices:
        running += weight
        if weight and running >= bucket:
            return Assignment(variant, bucket, True, "bucket")
    raise AssertionError("unreachable: the bucket never exceeds the total")


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
