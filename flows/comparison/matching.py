"""Which rows of two prediction files belong together: the same rows, or different callers."""

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flows.comparison.files import Predictions

Pairing = Literal["auto", "shared", "unpaired"]
Positions = NDArray[np.int64]
_MOSTLY = 0.5


class Match(NamedTuple):
    """
    How the rows belong together.

    Attributes:
        paired: The same rows in both files.
        champion, challenger: Positions of the rows that are compared, in the same order if paired.
        how: In words, e.g. "same rows, matched by customer".
        left_out: Rows of each file that are not compared.
    """

    paired: bool
    champion: Positions
    challenger: Positions
    how: str
    left_out: tuple[int, int] = (0, 0)


def match(ours: Predictions, theirs: Predictions, pairing: Pairing, mistakes: list[str]) -> Match:
    """
    Match the rows of two files.

    Args:
        ours, theirs: Champion's and challenger's.
        pairing: "auto": paired if the keys are the same, unpaired if they have none in common;
            "shared": the keys that both have; "unpaired": different callers.
        mistakes: What is wrong is added to it.
    """
    if pairing == "unpaired":
        return _unpaired(ours, theirs, mistakes)
    if ours.keys is None or theirs.keys is None:
        return _by_order(ours, theirs, pairing, mistakes)
    if ours.keys == theirs.keys:
        return _whole(ours, theirs, f"the same rows, in the order of {_key(ours)}")
    a, b = set(ours.keys), set(theirs.keys)
    alike = _written_differently(ours, theirs, a, b)
    if alike:
        mistakes.append(alike)
        return _whole(ours, theirs, "", paired=False)
    if not a & b and pairing == "auto":
        return _whole(ours, theirs, f"different callers: no {_key(ours)} is in both files", paired=False)
    if a != b and pairing == "auto":
        mistakes.append(_overlap(ours, theirs, len(a & b), len(a), len(b)))
        return _whole(ours, theirs, "", paired=False)
    found = _by_key(ours, theirs, mistakes)
    if pairing == "auto" and found.paired and any(found.left_out):
        mistakes.append(
            f"column {_key(ours)}: {found.left_out[0]:,} rows of {ours.name} and {found.left_out[1]:,} of "
            f"{theirs.name} have no partner (compare the others with --shared)"
        )
    return found


def label_mistakes(ours: Predictions, theirs: Predictions, found: Match) -> list[str]:
    """The same row with two labels."""
    if not found.paired or ours.labels is None or theirs.labels is None:
        return []
    first, second = ours.labels[found.champion], theirs.labels[found.challenger]
    if first.size != second.size:
        return []
    differing = np.flatnonzero((first != second) & np.isfinite(first) & np.isfinite(second))
    if not differing.size:
        return []
    said = f"column {ours.columns['label']}: {differing.size:,} of {first.size:,} rows have another label in "
    said += f"{theirs.name} than in {ours.name}"
    if ours.keys is not None:
        said += f", e.g. {_key(ours)} {ours.keys[int(found.champion[differing[0]])]}"
    mend = (
        "the same row has one label" if ours.keys is not None else "are they the same rows? name a --key, or --unpaired"
    )
    return [f"{said} ({mend})"]


def _unpaired(ours: Predictions, theirs: Predictions, mistakes: list[str]) -> Match:
    a, b = set(ours.keys or ()), set(theirs.keys or ())
    both, alike = a & b, _written_differently(ours, theirs, a, b)
    if alike:
        mistakes.append(alike)
    if both:
        few = ", ".join(sorted(both)[:3])
        mistakes.append(
            f"column {_key(ours)}: {len(both):,} keys are in both {ours.name} and {theirs.name} ({few}"
            f"{', ...' if len(both) > 3 else ''}), but an A/B split gives each key to one model (leave them out, "
            "or compare them as the same rows without --unpaired)"
        )
    return _whole(ours, theirs, "different callers, as said", paired=False)


def _written_differently(ours: Predictions, theirs: Predictions, a: set[str], b: set[str]) -> str:
    """Said if most keys of the smaller file are in the other one too, but written in another way: 00007 and 7."""
    few = min(len(a), len(b))
    if not few or len(a & b) > _MOSTLY * few:
        return ""
    first, second = ({_plainest(key): key for key in sorted(keys)} for keys in (a, b))
    same = sorted(first.keys() & second.keys())
    if len(same) <= max(_MOSTLY * few, len(a & b)):
        return ""
    example = next(key for key in same if first[key] != second[key])
    return (
        f"column {_key(ours)}: {len(same):,} keys of {theirs.name} are those of {ours.name}, written differently, e.g. "
        f"{second[example]!r} and {first[example]!r} (write them alike)"
    )


def _plainest(key: str) -> str:
    return key.strip().casefold().lstrip("0").removesuffix(".0")


def _by_order(ours: Predictions, theirs: Predictions, pairing: Pairing, mistakes: list[str]) -> Match:
    if (ours.keys is None) != (theirs.keys is None):
        has, lacks = (ours, theirs) if theirs.keys is None else (theirs, ours)
        mistakes.append(
            f"{has.name} has the key {_key(has)}, {lacks.name} has none (give it the same column, or --key)"
        )
    elif pairing == "shared":
        mistakes.append("without a key nobody knows which rows are in both files (name it by --key)")
    elif ours.rows != theirs.rows:
        mistakes.append(
            f"{ours.name} has {ours.rows:,} rows, {theirs.name} {theirs.rows:,}, and no key matches them "
            "(name it by --key, or say --unpaired if different callers were answered)"
        )
    return _whole(ours, theirs, "the same rows, in the same order")


def _by_key(ours: Predictions, theirs: Predictions, mistakes: list[str]) -> Match:
    first, second, by = _idents(ours), _idents(theirs), _key(ours)
    repeated = [(one, n) for one, names in ((ours, first), (theirs, second)) if (n := _repeated(names))]
    for one, n in repeated:
        mistakes.append(
            f"column {by}: {n:,} keys come more than once in {one.name}, so that its rows cannot be matched "
            "(name a unique --key, add --time, or sort both files alike)"
        )
    if repeated:
        return _whole(ours, theirs, "", paired=False)
    places = {name: place for place, name in enumerate(second)}
    pairs = [(place, places[name]) for place, name in enumerate(first) if name in places]
    if not pairs:
        mistakes.append(f"column {by}: no key is in both {ours.name} and {theirs.name}")
    champion, challenger = (np.array([pair[side] for pair in pairs], dtype=np.int64) for side in (0, 1))
    left = (ours.rows - len(pairs), theirs.rows - len(pairs))
    return Match(True, champion, challenger, f"the same rows, matched by {by}", left)


def _idents(one: Predictions) -> Sequence[object]:
    """Keys, or keys and times where a key comes more than once."""
    assert one.keys is not None
    if one.times is None or not _repeated(one.keys):
        return one.keys
    return list(zip(one.keys, one.times.tolist(), strict=True))


def _repeated(names: Sequence[object]) -> int:
    return sum(1 for count in Counter(names).values() if count > 1)


def _overlap(ours: Predictions, theirs: Predictions, both: int, first: int, second: int) -> str:
    return (
        f"column {_key(ours)}: {both:,} keys are in both files, {first - both:,} only in {ours.name} and "
        f"{second - both:,} only in {theirs.name} (compare those in both with --shared, "
        "or leave them out and say --unpaired)"
    )


def _whole(ours: Predictions, theirs: Predictions, how: str, *, paired: bool = True) -> Match:
    return Match(paired, np.arange(ours.rows), np.arange(theirs.rows), how)


def _key(one: Predictions) -> str:
    return one.columns.get("key", "the key")
