"""
Keys get the variant that every Unleash client gives them.

The vectors below are those of the Unleash client-specification 5.2.2 (Apache-2.0) that speak of variants,
stickiness and gradual rollout: 03, 08, 10, 12 and 16. What it calls group id is our salt. Those in
assignment_vectors.json are what Unleash's own engine (yggdrasil-engine 2.0.0) answered to random questions:
up to nine arms, weights of zero, overrides, salts and keys of any script.
"""

import json
from pathlib import Path

import pytest

from registry.assignment import Dealer, assign

EQUAL = (("variant1", 1), ("variant2", 1))
THIRDS = (("variant1", 33), ("variant2", 33), ("variant3", 33))
UNEVEN = (("variant1", 1), ("variant2", 49), ("variant3", 50))
FORCED = (("variant1", 33), ("variant2", 33), ("variant3", 34))
LETTERS = (("variantNameA", 1), ("variantNameB", 1))
COLOURS = (("blue", 25), ("red", 25), ("green", 25), ("yellow", 25))
STICKY = "Feature.flexible.rollout.custom.stickiness_100"
VARIANTS = [
    ("Feature.Variants.A", "0", (("variant1", 1),), "variant1"),
    ("Feature.Variants.B", "2", EQUAL, "variant2"),
    ("Feature.Variants.B", "0", EQUAL, "variant1"),
    ("Feature.Variants.C", "232", THIRDS, "variant1"),
    ("Feature.Variants.C", "607", THIRDS, "variant2"),
    ("Feature.Variants.C", "656", THIRDS, "variant3"),
    ("Feature.Variants.D", "712", UNEVEN, "variant1"),
    ("Feature.Variants.D", "525", UNEVEN, "variant2"),
    ("Feature.Variants.D", "537", UNEVEN, "variant3"),
    ("Feature.Variants.override.D", "388", FORCED, "variant2"),
    (STICKY, "616", COLOURS, "blue"),
    (STICKY, "503", COLOURS, "red"),
    (STICKY, "438", COLOURS, "green"),
    (STICKY, "44", COLOURS, "yellow"),
    ("a", "5", LETTERS, "variantNameA"),
    ("a", "0", LETTERS, "variantNameB"),
    ("a", "1", LETTERS, "variantNameA"),
    ("a", "2", LETTERS, "variantNameB"),
]
ENGINE = json.loads(Path(__file__).with_name("assignment_vectors.json").read_text())
ROLLOUTS = [
    ("AB12A", "123", 100, True),
    ("AB12A", "122", 50, True),
    ("AB12A", "155", 50, False),
    ("AB12A", "122", 0, False),
    ("Feature.flexibleRollout.10", "174", 10, True),
    ("Feature.flexibleRollout.10", "499", 10, False),
    ("Feature.flexibleRollout.userId.55", "25", 55, True),
    ("Feature.flexibleRollout.sessionId.42", "147", 42, True),
    ("Feature.flexibleRollout.0", "12", 0, False),
    (STICKY, "any_value", 100, True),
    ("Feature.flexible.rollout.custom.stickiness_50", "402", 50, False),
    ("Feature.flexible.rollout.custom.stickiness_50", "388", 50, True),
    ("Feature.flexible.rollout.custom.stickiness_50", "39", 50, True),
]


@pytest.mark.parametrize(("salt", "key", "slices", "variant"), VARIANTS)
def test_variants_agree_with_the_client_specification(salt, key, slices, variant):
    for decide in (assign(key, salt=salt, slices=slices), Dealer(salt=salt, slices=slices).deal(key)):
        assert (decide.variant, decide.enrolled, decide.reason) == (variant, True, "bucket")


@pytest.mark.parametrize("key", ["132", "61"])
def test_overrides_agree_with_the_client_specification(key):
    found = assign(key, salt="Feature.Variants.override.D", slices=FORCED, forced={"variant1": ("132", "61")})

    assert (found.variant, found.reason) == ("variant1", "forced")


@pytest.mark.parametrize(("salt", "key", "percent", "enabled"), ROLLOUTS)
def test_the_enrolment_gate_agrees_with_the_client_specification(salt, key, percent, enabled):
    rule = {"salt": salt, "slices": (("b", 1),), "enrolment": percent}

    assert assign(key, **rule).enrolled == enabled == Dealer(**rule).deal(key).enrolled


def test_the_engine_of_unleash_gives_every_one_of_its_keys_the_same_variant():
    wrong = []
    for asked in ENGINE:
        slices = [(variant, weight) for variant, weight in asked["slices"]]
        forced = {variant: asked["overrides"][variant] for variant, _ in slices if variant in asked["overrides"]}
        rule = {"salt": asked["salt"], "slices": slices, "forced": forced}
        dealt = {assign(asked["key"], **rule).variant, Dealer(**rule).deal(asked["key"]).variant}
        wrong += [asked] if dealt != {asked["variant"]} else []

    assert len(ENGINE) >= 217
    assert wrong == []
