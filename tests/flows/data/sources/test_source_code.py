import sys

import polars as pl
import pytest
from data_making import make_config

from flows.data.sources import source_of
from flows.errors import DataError

SHOP = '''
import polars as pl

class Store:
    """A feature store."""
    asked = []

    def describe(self):
        return "feature store"

    def version(self):
        return "2026-11"

    def read(self, columns, since, until):
        self.asked.append((tuple(columns), since, until))
        return pl.DataFrame({"age": [1.0], "plan": ["basic"], "left": [1]})

class Wrong(Store):
    def read(self, columns, since, until):
        return [1, 2]

class Broken(Store):
    def read(self, columns, since, until):
        raise ValueError("no connection to the shop")

store = Store()

def made():
    return store

nothing = 7
'''


@pytest.fixture(autouse=True)
def shop(tmp_path, monkeypatch):
    (tmp_path / "shop_of_tests.py").write_text(SHOP)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("shop_of_tests", None)


def source(attribute):
    return source_of(make_config(data={"source": f"python:shop_of_tests:{attribute}"}))


@pytest.mark.parametrize("attribute", ["store", "Store", "made"])
def test_an_object_a_class_and_a_function_of_the_users_own_are_sources(attribute):
    found = source(attribute)

    assert found.read(["age"], 1.0, None).height == 1
    assert (found.describe(), found.version()) == ("feature store", "2026-11")
    assert found._source.asked[-1] == (("age",), 1.0, None)


@pytest.mark.parametrize(
    ("attribute", "why"),
    [("nothing", "TypeError"), ("absent", "AttributeError"), ("", "names no attribute")],
)
def test_what_is_no_source_is_refused_by_name(attribute, why):
    with pytest.raises(DataError, match=why) as refused:
        source(attribute)
    assert "shop_of_tests" in str(refused.value)


def test_a_module_that_is_not_there_is_refused():
    with pytest.raises(DataError, match="ModuleNotFoundError"):
        source_of(make_config(data={"source": "python:nowhere_at_all:store"}))


@pytest.mark.parametrize(("attribute", "why"), [("Wrong", "returned list"), ("Broken", "no connection to the shop")])
def test_mistakes_of_that_code_are_refusals_that_name_it(attribute, why):
    with pytest.raises(DataError, match=why):
        source(attribute).read(["age"], None, None)


def test_rows_of_that_code_take_the_shape_of_every_other_table():
    assert isinstance(source("store").read(["age"], None, None), pl.DataFrame)
