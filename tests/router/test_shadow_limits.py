"""docs/router/shadow.md names every setting of the shadow, with its real default, and every way a copy can end."""

from pathlib import Path

import pytest

from router.shadow.limits import Limits

PAGE = (Path(__file__).parents[2] / "docs" / "router" / "shadow.md").read_text()


@pytest.mark.parametrize(("name", "field"), Limits.model_fields.items())
def test_every_setting_is_explained_with_its_default(name, field):
    assert f"| `UNDERSTUDY_SHADOW_{name.upper()}` | `{field.default}` |" in PAGE


@pytest.mark.parametrize(
    "reason", ["lag", "down", "deadline", "crashed", "memory", "not_loaded", "not_found", "raised"]
)
def test_every_way_a_copy_can_end_is_explained(reason):
    assert f"`{reason}`" in PAGE


def test_settings_come_from_the_environment_and_an_empty_one_is_none(monkeypatch):
    monkeypatch.setenv("UNDERSTUDY_SHADOW_DEADLINE_S", "2.5")
    monkeypatch.setenv("UNDERSTUDY_SHADOW_LAG_MB", "")

    assert (Limits().deadline_s, Limits().lag_mb) == (2.5, 64.0)
    assert Limits().deadline(100) == pytest.approx(3.0)
