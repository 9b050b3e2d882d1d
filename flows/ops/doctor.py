"""Look for what usually keeps the system from running, and say how to mend it."""

import contextlib
import dataclasses
import importlib
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from flows.ops.environment import process_environment
from flows.ops.health import get, status
from flows.ops.ports import refuse_busy_ports
from flows.ops.supervisor import belongings, supervisor_pid
from flows.ops.watchers import own_server
from registry.errors import Refusal
from registry.home import Settings

_SERVER = "prefect server imports"
_LEAST_FREE = 1_000_000_000
_MODULES = ("bentoml", "circus", "polars", "prefect", "sklearn", "xgboost", "apprise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """
    One thing that was looked at.

    Attributes:
        said: What was found.
        mend: What to do about it; empty if it is fine.
    """

    name: str
    passed: bool
    said: str
    mend: str = ""


def doctor(settings: Settings) -> tuple[Check, ...]:
    """
    Look at everything once; changes nothing but the state folder, which it makes if absent.

    Returns:
        All checks, passed or not; a check that breaks counts as not passed.
    """
    looks: tuple[tuple[str, Callable[[Settings], Check]], ...] = (
        ("python", _python),
        ("packages", _packages),
        (_SERVER, _prefect_server),
        ("state folder", _state_folder),
        ("free space", _free_space),
        ("ports", _ports),
        ("registry", _registry),
        ("audit trail", _audit),
        ("configurations", _configurations),
        ("notifications", _notifications),
        ("processes", _processes),
        ("deployments", _deployments),
        ("automations", _automations),
    )
    return tuple(_carefully(name, look, settings) for name, look in looks)


def _carefully(name: str, look: Callable[[Settings], Check], settings: Settings) -> Check:
    try:
        found = look(settings)
    except Refusal as refusal:
        return Check(name=name, passed=False, said=f"{refusal.what} {refusal.why}", mend=refusal.mend)
    except Exception as error:  # noqa: BLE001  a doctor that dies helps nobody
        said = f"{type(error).__name__}: {error}"
        return Check(name=name, passed=False, said=said, mend="Mend the cause named; the logs may say more.")
    return dataclasses.replace(found, mend="") if found.passed else found


def _python(_: Settings) -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    return Check(name="python", passed=sys.version_info >= (3, 11), said=found, mend="Use Python 3.11 or newer.")


def _packages(_: Settings) -> Check:
    missing = [name for name in _MODULES if importlib.util.find_spec(name) is None]
    mistakes = [f"{name} is not installed" for name in missing] + list(_wrong_versions())
    return _of("packages", mistakes, "all there", 'Install again: pip install "understudy[flows]".')


def _wrong_versions() -> Iterable[str]:
    """The two pins without which Prefect breaks late or silently."""
    for name, below in (("fastapi", (0, 151)), ("sqlalchemy", (2, 1))):
        try:
            found = version(name)
        except PackageNotFoundError:
            continue
        if tuple(int(part) for part in found.split(".")[:2]) >= below:
            yield f"{name} {found} breaks Prefect 3.8; it must be below {'.'.join(map(str, below))}"


def _prefect_server(settings: Settings) -> Check:
    """In a process of its own: importing the server takes seconds and leaves much behind."""
    tried = subprocess.run(
        [sys.executable, "-c", "import prefect.server.api.server"],
        env=process_environment(settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    why = (tried.stderr.strip().splitlines() or [""])[-1]
    mistakes = [why or "it ended without a word"] if tried.returncode else []
    return _of(_SERVER, mistakes, f"prefect {version('prefect')}", 'Install again: pip install "understudy[flows]".')


def _state_folder(settings: Settings) -> Check:
    settings.prepare()
    return Check(name="state folder", passed=True, said=str(settings.home))


def _free_space(settings: Settings) -> Check:
    free = shutil.disk_usage(_existing(settings.home)).free
    mend = "Make room, or set UNDERSTUDY_HOME to another disk."
    return Check(name="free space", passed=free > _LEAST_FREE, said=f"{free / 1e9:.1f} GB", mend=mend)


def _ports(settings: Settings) -> Check:
    if supervisor_pid(settings):
        return Check(name="ports", passed=True, said="held by our own processes")
    if left := belongings(settings):
        said = f"{len(left)} processes of a killed supervisor are left"
        return Check(name="ports", passed=False, said=said, mend="`understudy down` ends them.")
    refuse_busy_ports(settings)
    return Check(name="ports", passed=True, said="free")


def _registry(settings: Settings) -> Check:
    from registry.store.registry import Registry

    with Registry.open(settings.registry_url) as registry:
        models = registry.models()
    return Check(name="registry", passed=True, said=f"models: {', '.join(models) or 'none yet'}")


def _audit(settings: Settings) -> Check:
    from registry.store.registry import Registry

    with Registry.open(settings.registry_url) as registry:
        findings = registry.verify_audit()
    return _of("audit trail", findings, "intact", "Somebody changed the database by hand; restore a backup.")


def _configurations(settings: Settings) -> Check:
    from flows.config.load import load_config

    mistakes = []
    for path in sorted(settings.configs_dir.glob("*.yaml")):
        try:
            load_config(path)
        except Refusal as refusal:
            mistakes.append(f"{path.name}: {refusal.why}")
    return _of("configurations", mistakes, "all valid", "Correct the files named, then `understudy init FILE.yaml`.")


def _notifications(settings: Settings) -> Check:
    """Whether every address can be right; nothing is sent."""
    from flows.config.load import registered_config
    from flows.notify.address import mistakes

    found, count = [], 0
    for path in sorted(settings.configs_dir.glob("*.yaml")):
        with contextlib.suppress(Refusal):  # told by the look at the configurations
            urls = registered_config(path.stem, settings).notify.urls
            count += len(urls)
            found += [f"{path.name}: {one}" for one in mistakes(urls)]
    fine = f"{count} addresses; `understudy notify test MODEL` tries them"
    return _of("notifications", found, fine, "Correct the addresses named, then `understudy init FILE.yaml`.")


def _processes(settings: Settings) -> Check:
    found = status(settings)
    if not found.up:
        return Check(name="processes", passed=True, said="not started; `understudy up` starts them")
    ill = [f"{one.name} is {one.health} (log: {one.log})" for one in found.processes if one.health != "healthy"]
    ill += [f"{one.name} was restarted {one.restarts} times" for one in found.processes if one.restarts > 2]
    return _of("processes", ill, "all well", "Read the log named; `understudy down` and `understudy up` start afresh.")


def _deployments(settings: Settings) -> Check:
    from flows.ops.deployments import prefect_yaml, read_deployments

    wanted = len(read_deployments(prefect_yaml()))
    answer = get(f"{settings.prefect_api_url}/health")
    if answer is None:
        return _unasked("deployments", settings)
    found = _deployed(settings)
    mend = "`understudy up` deploys again."
    return Check(name="deployments", passed=found >= wanted, said=f"{found} of {wanted} deployed", mend=mend)


def _automations(settings: Settings) -> Check:
    from flows.ops.deployments import prefect_yaml, read_deployments
    from flows.ops.rule_names import NAMES

    if get(f"{settings.prefect_api_url}/health") is None:
        return _unasked("automations", settings)
    own = [one["name"] for deployment in read_deployments(prefect_yaml()) for one in deployment.get("triggers", ())]
    found, wanted = _rules(settings), [*NAMES, *own]
    mistakes = [f"{name!r} is missing" for name in wanted if name not in found]
    mistakes += [f"{name!r} is switched off" for name in wanted if found.get(name) is False]
    mend = "`understudy up` makes them again; switch them on in the Prefect UI."
    return _of("automations", mistakes, f"{len(wanted)} in force: {', '.join(wanted)}", mend)


def _unasked(name: str, settings: Settings) -> Check:
    """What a Prefect server that does not answer leaves open: fine if it is ours, which `up` starts."""
    if own_server(settings):
        return Check(name=name, passed=True, said="not looked at: the Prefect server is not started")
    said = f"{settings.prefect_api_url} does not answer"
    return Check(name=name, passed=False, said=said, mend="Check PREFECT_API_URL.")


def _rules(settings: Settings) -> dict[str, bool]:
    """Whether each automation is enabled, by name."""
    import httpx

    url = f"{settings.prefect_api_url}/automations/filter"
    answer = httpx.post(url, json={"limit": 200}, trust_env=False, timeout=5)
    answer.raise_for_status()
    return {one["name"]: bool(one["enabled"]) for one in answer.json()}


def _deployed(settings: Settings) -> int:
    import httpx

    document = {"deployments": {"tags": {"all_": ["understudy"]}}}
    answer = httpx.post(f"{settings.prefect_api_url}/deployments/count", json=document, trust_env=False, timeout=5)
    return int(answer.json())


def _of(name: str, mistakes: list[str], fine: str, mend: str) -> Check:
    return Check(name=name, passed=not mistakes, said="; ".join(mistakes) or fine, mend=mend)


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)
