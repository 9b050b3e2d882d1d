"""An admin port over a real registry, with a token of each role."""

import pytest
from admin_making import SHARED, TOKENS, Admin

from registry.store.registry import Registry
from router.admin import admin_app
from router.keeper import Keeper


@pytest.fixture
def keeper(settings, registry):
    return Keeper(settings, lambda: Registry.open(settings.registry_url))


@pytest.fixture
def admin(settings, keeper):
    settings.tokens_file.write_text("".join(f"the-{role} {role} {token}\n" for role, token in TOKENS.items()))
    return Admin(admin_app(keeper, SHARED, settings))


@pytest.fixture
def holders(admin):
    return {role: admin.holding(token) for role, token in TOKENS.items()}
