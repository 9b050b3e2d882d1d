import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from flows.data.digest import rows_digest
from flows.data.repeats import without_repeats

ROWS = st.lists(
    st.tuples(st.none() | st.sampled_from("ab"), st.sampled_from([1.0, 2.0]), st.sampled_from([0.0, 1.0])), max_size=20
)


def table(rows, **more):
    keys, times, labels = zip(*rows, strict=True) if rows else ((), (), ())
    schema = {"_key": pl.String, "_time": pl.Float64, "_label": pl.Float64}
    return pl.DataFrame({"_key": keys, "_time": times, "_label": labels} | more, schema=schema)


def test_a_row_that_repeats_another_in_every_column_is_left_out():
    told = without_repeats(table([("a", 1.0, 0.0), ("b", 1.0, 0.0), ("a", 1.0, 0.0)]), leave_out=True)

    assert told.frame.rows() == [("a", 1.0, 0.0), ("b", 1.0, 0.0)]
    assert (told.duplicates, told.conflicts) == (1, 0)


def test_rows_that_contradict_each_other_are_counted_and_kept():
    told = without_repeats(table([("a", 1.0, 0.0), ("a", 1.0, 1.0), ("a", 2.0, 1.0)]), leave_out=True)

    assert told.frame.height == 3
    assert (told.duplicates, told.conflicts) == (0, 2)


def test_repeats_stay_where_they_are_wanted():
    told = without_repeats(table([("a", 1.0, 0.0)] * 3), leave_out=False)

    assert (told.frame.height, told.duplicates) == (3, 0)


@given(rows=ROWS)
def test_leaving_out_repeats_is_a_set_of_the_rows_with_keys_in_their_order(rows):
    told = without_repeats(table(rows), leave_out=True)

    seen = set()
    expected = [row for row in rows if row[0] is None or not (row in seen or seen.add(row))]
    assert told.frame.rows() == expected
    assert told.duplicates == len(rows) - len(expected)


@given(rows=ROWS)
def test_doing_it_twice_changes_nothing(rows):
    once = without_repeats(table(rows), leave_out=True)
    twice = without_repeats(once.frame, leave_out=True)

    assert twice.frame.equals(once.frame)
    assert (twice.duplicates, twice.conflicts) == (0, once.conflicts)


@given(rows=ROWS, seed=st.integers(0, 99))
def test_the_digest_of_rows_does_not_depend_on_their_order(rows, seed):
    frame = table(rows)

    assert rows_digest(frame) == rows_digest(frame.sample(fraction=1.0, shuffle=True, seed=seed))


@given(one=ROWS, other=ROWS)
def test_other_rows_have_another_digest(one, other):
    same = sorted(map(repr, one)) == sorted(map(repr, other))

    assert (rows_digest(table(one)) == rows_digest(table(other))) is same
