"""Hostile requests over real sockets: each is answered or refused by name, and no worker dies of one."""

import pytest
from hostile import attack, cases
from router_live import Live

pytestmark = pytest.mark.timeout(240)


def test_no_hostile_request_breaks_a_real_router(live: Live):
    live.start("router")

    assert attack(live.settings.router_port) == []


def test_every_case_has_a_name_of_its_own():
    names = [case.name for case in cases("/p", "/o")]

    assert len(names) > 280
    assert sorted({name for name in names if names.count(name) > 1}) == []
