"""Addresses that cannot work are found before anything is sent, and none is shown."""

import pytest

from flows.notify.address import Address, addresses, mistakes, wanted, wrong

SECRET = "TIiajkdnlazkcOXrIdevi7"
MAIL = "from=a@example.org&to=b@example.org"


@pytest.mark.parametrize(
    "url",
    [
        f"slack://T1JJ3T3L2/A1BRTD4JD/{SECRET}",
        f"https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/{SECRET}",
        f"mailtos://ann:{SECRET}@smtp.example.org:587?{MAIL}&mode=starttls",
        f"mailtos://ann:{SECRET}@smtp.example.org:465?{MAIL}&mode=ssl",
        f"mailto://127.0.0.1:1025?{MAIL}",
        f"workflows://prod-1.example.azure.com:443/WFID/{SECRET}",
        "json://127.0.0.1:8080/hook",
        "jsons://hooks.example.org/hook",
        "prefect://slack-webhook/ops",
        "prefect://ms-teams-webhook/on-call",
        "prefect://custom-webhook/pager",
    ],
)
def test_addresses_that_can_work_are_taken(url):
    assert wrong(url) == ""


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (SECRET, "does not begin with a kind of address"),
        (f" slack://{SECRET}", "does not begin with a kind of address"),
        (f"slak://T1JJ3T3L2/A1BRTD4JD/{SECRET}", "did you mean slack://?"),
        (f"msteams://{SECRET}/b/c/d", "write workflows://"),
        (f"slack://{SECRET}", "it is not complete"),
        (f"mailtos://{SECRET}", "it is not complete"),
        (f"jsons://h.example.org/{SECRET}?verify=no", "it checks no certificate"),
        (f"mailto://ann:{SECRET}@smtp.example.org?{MAIL}&mode=insecure", "password unencrypted"),
        ("prefect://slack/ops", "slack-webhook, ms-teams-webhook, custom-webhook"),
        ("prefect://slack-webhook", "write prefect://KIND/NAME"),
        ("prefect://slack-webhook/Ops", "write prefect://KIND/NAME"),
    ],
)
def test_addresses_that_cannot_work_are_refused_without_showing_them(url, why):
    (said,) = mistakes([url])

    assert said.startswith("notify.urls.0 (")
    assert why in said
    assert SECRET not in said


def test_all_mistakes_are_told_at_once():
    assert [said.split(" ")[0] for said in mistakes(["x", "json://h", "y"])] == ["notify.urls.0", "notify.urls.2"]


def test_a_new_password_leaves_the_name_of_an_address_as_it_is():
    before, after = (Address(f"mailtos://ann:{word}@h.example.org?{MAIL}") for word in ("old", "new"))
    other = Address(f"mailtos://bob:old@h.example.org?{MAIL}")

    assert before.name == after.name != other.name
    assert Address(f"json://h?password={SECRET}").name == Address("json://h?password=x").name


def test_an_address_that_is_written_twice_is_one():
    assert addresses(["json://a", "json://b", "json://a"]) == (Address("json://a"), Address("json://b"))


@pytest.mark.parametrize(
    ("only", "heard"),
    [((), True), (("rollout.*",), True), (("rollout.promoted",), True), (("drift.*", "run.*"), False)],
)
def test_patterns_choose_kinds(only, heard):
    assert wanted("rollout.promoted", only) is heard
