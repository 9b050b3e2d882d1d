import os

import numpy as np
import pytest
from real_sets import looks

pytestmark = pytest.mark.skipif("UNDERSTUDY_DATA" not in os.environ, reason="UNDERSTUDY_DATA names no folder")


def errors(name, metric):
    """Mean distance to the truth of estimates without labels, with half of them, and corrected by them."""
    found = list(looks(name))
    blind = np.mean([abs(alone.measure(metric, estimated=True).value - real[metric]) for _, _, alone, real in found])
    mixed = np.mean([abs(seen.measure(metric, estimated=True).value - whole[metric]) for seen, whole, _, _ in found])
    corrected = np.mean([abs(seen.check(metric).corrected - whole[metric]) for seen, whole, _, _ in found])
    shown = np.mean([any(check.blind for check in seen.checks) for seen, _, _, _ in found])
    return blind, mixed, corrected, shown


@pytest.mark.parametrize(("name", "metric", "off"), [("elec2", "accuracy", 0.10), ("bank", "accuracy", 0.05)])
def test_estimates_are_far_off_where_concepts_drift_and_the_checks_say_so(name, metric, off):
    blind, mixed, corrected, shown = errors(name, metric)

    assert blind > off
    assert blind > 1.5 * mixed > 1.5 * corrected
    assert shown > 0.6


def test_estimated_losses_are_far_off_where_demand_grows_and_the_checks_say_so():
    blind, mixed, corrected, shown = errors("bike", "mae")

    assert blind > 30
    assert corrected < 0.5 * mixed
    assert shown > 0.5


def test_an_accuracy_of_85_percent_is_out_of_reach_on_elec2_and_shows_nothing_on_bank():
    elec2, bank = next(looks("elec2"))[0], next(looks("bank"))[0]

    assert elec2.floor_broken is None
    assert any("out of reach" in one for one in elec2.findings)
    assert any("shows nothing" in one for one in bank.findings)
