"""Prefect's pages in a real browser, named as a person names them."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page, Request, Response

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_BUSY = 503  # Prefect's database was locked; people click again
_TYPED = "textarea, input[type=text], input[type=number], input:not([type])"


@dataclass(frozen=True)
class Answer:
    """What came of a click that starts or resumes a run: its id, or the words of the refusal on the page."""

    run: str | None
    said: str = ""


@dataclass
class Pages:
    """
    One browser window on one Prefect server.

    Attributes:
        shots: Folder of pictures; none are taken without it.
        outside: Addresses beyond this machine that a page asked for.
        busy: How often the server had no time, and a person clicked again.
    """

    page: Page
    origin: str
    shots: Path | None
    outside: list[str] = field(default_factory=list)
    busy: int = 0

    def __post_init__(self) -> None:
        self.page.set_default_timeout(120_000)
        self.page.on("request", self._note)

    def _note(self, request: Request) -> None:
        address = urlsplit(request.url)
        if address.scheme in ("http", "https", "ws", "wss") and address.hostname not in _LOOPBACK:
            self.outside.append(request.url)

    def shot(self, name: str) -> None:
        """Keep what is seen now."""
        if self.shots is None:
            return
        self.shots.mkdir(parents=True, exist_ok=True)
        self.page.wait_for_timeout(500)  # pages fade in
        self.page.screenshot(path=self.shots / f"{name}.png", full_page=True)

    def deployments(self, searched: str = "") -> list[str]:
        """Names on the page of all deployments that hold what was typed into the search."""
        self.page.goto(f"{self.origin}/deployments")
        self.page.get_by_placeholder("Search deployments").fill(searched)
        links = self.page.locator("a[href*='/deployments/deployment/']")
        links.filter(has_text=searched).first.wait_for()
        return [text for one in links.all_inner_texts() if (text := one.strip())]

    def deployment(self, name: str) -> None:
        """Find a deployment by its name, and open its page."""
        self.deployments(name)
        address = self.page.get_by_role("link", name=name, exact=True).first.get_attribute("href")
        self.page.goto(f"{self.origin}{address}")  # the list is drawn anew while one clicks
        self._run_button().wait_for()

    def form(self, deployment: str, *, known: str | None = None) -> None:
        """Open "Run" -> "Custom run"; a deployment whose id is known need not be searched for."""
        if known is None:
            self.deployment(deployment)
        else:
            self.page.goto(f"{self.origin}/deployments/deployment/{known}")
            self._run_button().wait_for()
        self._run_button().click()
        self.page.get_by_text("Custom run").click()
        self.page.get_by_role("button", name="Submit").wait_for()

    def quick_run(self, deployment: str) -> Answer:
        """Click "Run" -> "Quick run"."""
        self.deployment(deployment)
        self._run_button().click()
        return self._starting(self.page.get_by_text("Quick run"))

    def submit(self) -> Answer:
        """Click "Submit" of the form that is open."""
        return self._starting(self.page.get_by_role("button", name="Submit"))

    def fields(self) -> list[str]:
        """Labels of the form that is open."""
        labels = self.page.locator(".schema-form-property__label")
        labels.first.wait_for()
        return [text.removesuffix("(Optional)").strip() for text in labels.all_inner_texts()]

    def fill(self, label: str, value: str) -> None:
        """Type into one field; one that is None by default is switched on first."""
        one = self.field(label)
        typed = one.locator(_TYPED)
        if typed.count() == 0:
            one.locator(".p-button-group button, .p-select-button-group button, fieldset button").first.click()
        typed.first.fill(value)

    def choose(self, label: str, option: str) -> None:
        """Take one option of a list."""
        self.field(label).locator(".p-select-button__control").first.focus()
        self.page.keyboard.press("Space")
        self.page.locator(".p-select-option").filter(has_text=_only(option)).first.click()

    def field(self, label: str) -> Locator:
        """One field of the form that is open, by its label."""
        words = self.page.locator(".schema-form-property__label").filter(has_text=_only(label))
        return self.page.locator(".schema-form-property").filter(has=words).last

    def mistakes(self) -> str:
        """What the form says in red, and what pops up."""
        red = self.page.locator(".p-label__message, .p-toast, .p-message--error")
        return "\n".join(text for one in red.all_inner_texts() if (text := one.strip()))

    def run(self, run: str) -> None:
        """Open the page of a run."""
        self.page.goto(f"{self.origin}/runs/flow-run/{run}")
        self.state_badge().wait_for()

    def state_badge(self) -> Locator:
        """State in the head of a run's page."""
        return self.page.locator(".page-heading-flow-run .state-badge").first

    def wait_for_state(self, *names: str, seconds: float = 240.0) -> str:
        """Stay on a run's page until it shows one of the states."""
        deadline = time.monotonic() + seconds
        while (seen := self.state_badge().inner_text().strip()) not in names:
            assert time.monotonic() < deadline, f"{seen}, not {' or '.join(names)}, after {seconds:g} s"
            self.page.wait_for_timeout(100)
        return seen

    def logs(self) -> str:
        """Log on the page of a run."""
        self.page.locator("#logs").click()
        self.page.locator("#logs-content").wait_for()
        self.page.wait_for_timeout(500)
        return self.page.locator("#logs-content").inner_text()

    def message(self) -> str:
        """Message of the state on a run's page, whole."""
        self.page.locator("#details").click()
        details = self.page.locator("#details-content")
        details.wait_for()
        more = details.get_by_text("See More")
        if more.count():
            more.first.click()
            self.page.wait_for_timeout(300)
        return self.page.locator("body").inner_text()

    def artifacts(self) -> list[str]:
        """Keys on the tab "Artifacts" of a run's page."""
        tab = self.page.locator("#artifacts")
        if tab.count() == 0:
            return []
        tab.click()
        self.page.locator("#artifacts-content a").first.wait_for()
        links = self.page.locator("#artifacts-content a[href*='/artifacts/']")
        return [text.splitlines()[1] for one in links.all_inner_texts() if (text := one.strip())]

    def artifact(self, key: str) -> str:
        """Open the newest artifact of that key, as it is drawn; returns its text."""
        self.page.goto(f"{self.origin}/artifacts/key/{key}")
        self.page.locator("a[href*='/artifacts/artifact/']").first.click()
        self.page.wait_for_url("**/artifacts/artifact/**")
        drawn = self.page.locator(".artifact-data-view")
        drawn.wait_for()
        return drawn.inner_text()

    def question(self, run: str, *, seconds: float = 120.0) -> str:
        """Open the form of a suspended run; returns what stands above its fields."""
        self.run(run)
        button = self.page.get_by_role("button", name="Resume", exact=True)
        button.wait_for(timeout=seconds * 1000)
        button.click()
        dialog = self.page.locator(".p-modal, [role=dialog]").first
        dialog.wait_for()
        self.page.locator(".schema-form-property__label").first.wait_for()
        return dialog.inner_text()

    def answer(self) -> str:
        """Send the form of a suspended run; returns the refusal, or nothing."""
        got = self._insist(self.page.get_by_role("button", name="Submit"), "/resume")
        if got is not None and got.ok and got.json().get("status") == "ACCEPT":
            return ""
        return self.mistakes() or (got.text() if got is not None else "nothing happened")

    def _run_button(self) -> Locator:
        return self.page.get_by_role("button", name="Run", exact=True).first

    def _starting(self, button: Locator) -> Answer:
        got = self._insist(button, "/create_flow_run")
        if got is not None and got.ok:
            return Answer(run=got.json()["id"])
        return Answer(run=None, said="\n".join([self.mistakes(), _detail(got.text()) if got else ""]).strip())

    def _insist(self, button: Locator, path: str) -> Response | None:
        """Click, and once more while the server has no time."""
        got = self._click(button, path)
        for _ in range(10):
            if got is None or got.status != _BUSY:
                break
            self.busy += 1
            self.page.wait_for_timeout(1000)
            got = self._click(button, path)
        return got

    def _click(self, button: Locator, path: str) -> Response | None:
        """Click, and wait for what the server says to *path*, or for the page to say what is wrong."""
        asked: list[Request] = []
        got: list[Response] = []
        before = self.mistakes()

        def wrong() -> bool:
            said = self.mistakes()
            return not asked and said not in ("", before)

        def ask(one: Request) -> None:
            if one.method == "POST" and one.url.endswith(path):
                asked.append(one)

        def keep(one: Response) -> None:
            if one.url.endswith(path):
                got.append(one)

        self.page.on("request", ask)
        self.page.on("response", keep)
        for _ in range(5):
            button.click()
            if self._within(5, lambda: asked or wrong()):  # a page that is drawn anew loses a click
                break
        self._within(120 if asked else 0, lambda: got)
        self.page.wait_for_timeout(200)
        self.page.remove_listener("request", ask)
        self.page.remove_listener("response", keep)
        return got[0] if got else None

    def _within(self, seconds: float, condition: Callable[[], object]) -> bool:
        """Whether it came true in time; the page goes on meanwhile."""
        deadline = time.monotonic() + seconds
        while not (found := condition()) and time.monotonic() < deadline:
            self.page.wait_for_timeout(50)
        return bool(found)


def _only(words: str) -> re.Pattern[str]:
    return re.compile(rf"^\s*{re.escape(words)}(\s*\(Optional\))?\s*$")


def _detail(body: str) -> str:
    try:
        return str(json.loads(body).get("detail", body))
    except ValueError:
        return body
