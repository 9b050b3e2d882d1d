from drift_making import make_config, sample

from flows.detection.univariate.profile import profile


def test_a_profile_is_a_few_kilobytes_however_long_the_table():
    found = profile(sample(50_000, 1), make_config())

    assert len(found.to_json()) < 8_000


def test_a_column_that_the_table_has_not_is_not_in_the_profile():
    assert profile(sample(10, 0).drop("x"), make_config()).numeric == {}


def test_scores_and_labels_are_profiled_where_there_are_some():
    found = profile(sample(4, 0, _score=[0.1, 0.2, 0.3, None], _label=[0.0, 1.0, 1.0, 1.0]), make_config())

    assert (found.score.n, found.score.missing, found.label.mean) == (3, 1, 0.75)
    assert profile(sample(4, 0), make_config()).score is None
