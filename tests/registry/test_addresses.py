"""No refusal repeats a password."""

import pickle
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.data.files import scan_table
from flows.errors import DataError
from registry.addresses import without_passwords
from registry.errors import NotFound

SIGNS = string.ascii_letters + string.digits + string.punctuation


@given(password=st.text(SIGNS, min_size=4).filter(lambda one: one not in "ann:***@db:5432/sales"))
def test_no_password_is_shown_whatever_signs_it_has(password):
    shown = without_passwords(f"The table postgresql://ann:{password}@db:5432/sales was not read.")

    assert shown == "The table postgresql://ann:***@db:5432/sales was not read."


@pytest.mark.parametrize(
    "plain",
    ["rows.csv", "It is at 12:30, ann@example.org.", "http://127.0.0.1:3000/predict", "s3://bucket/a@12", "C:\\a@b"],
)
def test_what_has_no_password_is_left_as_it_is(plain):
    assert without_passwords(plain) == plain


def test_every_part_of_a_refusal_hides_passwords_and_pickles():
    address = "mysql://ann:secret@db"

    refused = pickle.loads(pickle.dumps(NotFound(f"No {address}.", f"Not {address}.", f"Not {address}?token=abc")))

    assert "secret" not in str(refused) + repr(refused) + "".join((refused.what, refused.why, refused.mend))
    assert refused.mend == "Not mysql://ann:***@db?token=***"


@pytest.mark.parametrize(
    "address",
    [
        "mysql://ann:secret@127.0.0.1/sales",
        "mysql://ann:secret@127.0.0.1/sales.csv",
        "https://ann:secret@127.0.0.1:1/rows.parquet",
        "s3://ann:secret@bucket/*.nothing",
        "postgres:/ann:secret@db@12",
    ],
)
def test_a_table_at_an_address_is_refused_without_its_password(address):
    with pytest.raises(DataError) as refused:
        scan_table(address).collect()

    assert "secret" not in str(refused.value)
    assert ":***@" in refused.value.what
