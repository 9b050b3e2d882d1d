from drift_making import drifted, feature, look, make_config

from flows.detection.showing.markdown import markdown_of, table_of


def headline(seen):
    return markdown_of(seen).splitlines()[0]


def test_the_headline_says_what_came_of_it():
    retrain = {"error_increase": 0.5, "error_p": 0.001}

    assert headline(look()) == "# churn: nothing to do"
    assert headline(look(drifted(), metrics={"drifted_features": 1.0})) == "# churn: worth a look"
    assert headline(look(metrics=retrain, event_id="retrain_20260301_001")).endswith("asked for (retrain_20260301_001)")
    assert headline(look(metrics=retrain, held_back="r-1 is active")).endswith("held back: r-1 is active")


def test_not_enough_data_is_never_nothing_to_do():
    import msgspec

    seen = look()
    blind = msgspec.structs.replace(
        seen, drift=msgspec.structs.replace(seen.drift, enough=False, said="not enough data")
    )

    assert headline(blind) == "# churn: not enough data"


def test_metrics_that_are_not_known_say_so():
    text = markdown_of(look(metrics={"error": None, "error_increase": None, "error_p": None}))

    assert "| error | not enough data | mean loss of the newest labelled window |" in text
    assert "Not enough data to decide: error rises," in text


def test_a_kpi_with_a_bar_in_its_name_breaks_no_table():
    config = make_config(data={"kpis": {"a|b": "x2"}})

    assert r"| a\|b | 3 | KPI |" in markdown_of(look(metrics={"a|b": 3.0}, config=config))


def test_the_table_has_a_row_per_feature_and_fifty_at_most():
    rows = table_of(look(drifted("x", findings=("one", "two")), *(feature(f"y{i}") for i in range(80))))

    assert len(rows) == 50
    assert rows[0]["feature"] == "x"
    assert (rows[0]["drifted"], rows[0]["findings"]) == ("yes", "one; two")
    assert rows[1]["drifted"] == ""
