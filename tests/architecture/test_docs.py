"""What the pages of docs/ say of commands, addresses and deployments is so."""

import re
from pathlib import Path

import pytest
import yaml

from flows.cli.main import main
from flows.config.model import ModelConfig
from registry.assignment import Reason
from router.app import PAGES
from router.index.rows import RowQuery

ROOT = Path(__file__).parents[2]
PAGES_OF_DOCS = sorted((ROOT / "docs").rglob("*.md"))
TEXTS = {str(page.relative_to(ROOT / "docs")): page.read_text() for page in PAGES_OF_DOCS}
API = TEXTS["http-api.md"]
BLOCKS = [block for text in TEXTS.values() for block in re.findall(r"```(?:bash|console)\n(.*?)```", text, re.DOTALL)]
LINES = [line.removeprefix("$ ").strip() for block in BLOCKS for line in block.splitlines()]
COMMANDS = sorted({tuple(line.split("#")[0].split()[1:3]) for line in LINES if line.startswith("understudy ")})
GROUPS = ("audit", "decision", "models", "rollout", "traffic")


def anchors(text):
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES_OF_DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", page.read_text()):
        file, _, anchor = target.partition("#")
        linked = page.parent / file if file else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked.read_text()), target


IMPORTS = [
    (name, line)
    for name, text in TEXTS.items()
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for line in re.findall(
        r"^(?:from (?:flows|registry|router)\S* import .*|import (?:flows|registry|router)\S*)$", block, re.MULTILINE
    )
]


@pytest.mark.parametrize(("page", "line"), IMPORTS, ids=lambda text: text[-60:])
def test_every_import_of_an_example_works(page, line):
    found: dict[str, object] = {}
    exec(line.replace("(", "").rstrip(), found)

    assert found.keys() - {"__builtins__"} or line.endswith("(")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_exists(words, capsys):
    command = list(words if words[0] in GROUPS else words[:1])

    assert main([*command, "--help"]) == 0
    assert f"understudy {' '.join(command)}" in capsys.readouterr().out


def test_the_model_of_getting_started_is_valid():
    [block] = [b for b in re.findall(r"```yaml\n(.*?)```", TEXTS["getting-started.md"], re.DOTALL) if "model:" in b]

    assert ModelConfig.model_validate(yaml.safe_load(block)).model == "leads"


def test_every_deployment_is_named():
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    names = {f"{one['entrypoint'].rpartition('.')[2].replace('_', '-')}/{one['name']}" for one in deployments}

    assert set(re.findall(r"`([a-z-]+/[a-z0-9-]+)`", TEXTS["architecture.md"])) == names


def test_every_room_is_named_and_no_other():
    packages = {
        str(file.parent.relative_to(ROOT))
        for package in ("flows", "registry", "router")
        for file in (ROOT / package).rglob("__init__.py")
    }
    rooms = {name for name in packages if "/" in name and not name.startswith("flows/stats/")}
    listed = TEXTS["architecture.md"].partition("## Rooms")[2]

    assert set(re.findall(r"`((?:flows|registry|router)/[a-z/]+)/`", listed)) == rooms


def test_every_file_that_the_architecture_names_exists():
    named = re.findall(r"`((?:flows|registry|router)/[a-z_/]+\.py)`", TEXTS["architecture.md"])

    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_address_of_the_admin_port_is_named():
    from router.admin import admin_app

    routes = [(method, route.path) for route in admin_app(None, "t").routes for method in route.methods - {"HEAD"}]
    shown = API.replace(", `.../resume`", ", `POST /v1/models/{model}/resume`")

    assert [f"{method} {path}" for method, path in routes if f"`{method} {path}`" not in shown] == []


@pytest.mark.parametrize("path", PAGES)
def test_every_page_of_the_serving_port_is_named(path):
    assert f"`GET {path}`" in API


@pytest.mark.parametrize("word", [*Reason.__args__, *RowQuery.__struct_fields__])
def test_every_reason_and_every_filter_of_rows_is_explained(word):
    assert f"`{word}`" in API
