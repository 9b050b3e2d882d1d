"""Sections `rollout` and `approval`: what cannot be meant is refused with its reason."""

import pytest
from pydantic import ValidationError

from flows.config.rollout import Approval, BanditConfig, RolloutConfig


@pytest.mark.parametrize(
    ("section", "values", "said"),
    [
        (BanditConfig, {"first": 0.01, "floor": 0.05}, "first 0.01 is not between the floor 0.05 and 0.95"),
        (RolloutConfig, {"strategy": "custom"}, "strategy custom needs steps"),
        (RolloutConfig, {"canary": []}, "canary: it has no steps"),
        (Approval, {"roles": ["lead", "lead"]}, "role 'lead' is named twice"),
        (Approval, {"roles": []}, "there are no roles"),
        (Approval, {"approvers": {"chef": ["ann"]}}, "approvers of 'chef', which is no role"),
        (Approval, {"approvers": {"ml_lead": []}}, "nobody may sign as ml_lead"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_reason(section, values, said):
    with pytest.raises(ValidationError) as refused:
        section(**values)

    assert said in str(refused.value)
