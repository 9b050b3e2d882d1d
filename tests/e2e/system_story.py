"""Models whose trouble comes on command, and runs of their deployments: what the stories of a whole system need."""

import time
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import yaml
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures
from skops.io import dump
from waiting import until

HUGE = 1e36
"""A value of `bills` whose ninth power no float holds: the challenger fails on it, the champion does not look at it."""


def churn_table(rows, seed, until_at, sign=1.0):
    """One row a minute; `y` follows `x`, or its opposite."""
    dice = np.random.default_rng(seed)
    x = dice.normal(size=rows)
    at = until_at.timestamp() - 60.0 * np.arange(rows)[::-1]
    return pl.DataFrame({"x": x, "at": at, "y": (sign * x + dice.normal(0, 0.5, rows) > 0).astype(int)})


def churn(model, source, **sections):
    """Configuration of a model that learns from such a table in a moment."""
    return {
        "model": model,
        "task": "binary",
        "target": "y",
        "features": {"numeric": ["x"], "categorical": []},
        "data": {"time": "at", "source": str(source)},
        "training": {"trials": 0, "families": ["linear"], "min_rows": 200, "window": None},
        "promotion": {"min_holdout": 50, "min_improvement": 0.0},
        "validation": {"latency_ms": 2000.0},
    } | sections


def prices(model, urls):
    """Configuration of a canary that waits for values of callers for ever, so that only an alarm ends it."""
    return {
        "model": model,
        "task": "regression",
        "target": "amount",
        "features": {"numeric": ["calls", "bills"], "categorical": []},
        "data": {"time": "at"},
        "promotion": {"min_labelled": 100_000, "require_approval": False},
        "rollout": {"strategy": "canary", "canary": [{"share": 0.5, "min": "1d"}, {"share": 1, "min": "1d"}]},
        "validation": {"latency_ms": 2000.0},
        "notify": {"urls": urls},
    }


def priced(folder):
    """Files of a champion that does not look at bills, a challenger that does, and the holdout."""
    dice = np.random.default_rng(4)
    x = dice.normal(size=(1500, 2))
    at = time.time() - 86_400 - 60.0 * np.arange(len(x))[::-1]
    amount = x[:, 0] + 2 * x[:, 1] + dice.normal(0, 0.3, len(x))
    holdout = pl.DataFrame({"calls": x[:, 0], "bills": x[:, 1], "at": at, "amount": amount})
    holdout.write_parquet(folder / "holdout.parquet")
    files = []
    for name, degree, weights in (("champion", 1, {(1, 0): 1.0}), ("challenger", 9, {(1, 0): 1.0, (0, 1): 2.0})):
        powers = PolynomialFeatures(degree)
        curve = make_pipeline(SimpleImputer(), powers, LinearRegression()).fit(x, amount)
        curve[-1].coef_ = np.array([weights.get(tuple(one), 0.0) for one in powers.powers_])
        curve[-1].intercept_ = 0.0
        dump(curve, folder / f"{name}.skops")
        files.append(folder / f"{name}.skops")
    return *files, folder / "holdout.parquet"


def commanded(place, *commands, seconds=300):
    """Run `understudy` commands that must succeed; returns what the last one printed."""
    for words in commands:
        done = place.run(*map(str, words), seconds=seconds)
        assert done.returncode == 0, f"{words}: {done.stderr}"
    return done.stdout


def configured(place, folder, document):
    """Register a configuration, again if it has changed."""
    file = folder / f"{document['model']}.yaml"
    file.write_text(yaml.safe_dump(document))
    commanded(place, ("init", file))


def asked(prefect, name, parameters, **others):
    """Ask for a run of a deployment; returns its id."""
    deployment = prefect.read_deployment_by_name(name)
    return prefect.create_flow_run_from_deployment(deployment.id, parameters=parameters, **others).id


def ended(prefect, run, seconds=180):
    """The final state of a run."""
    return until(lambda: state if (state := prefect.read_flow_run(run).state).is_final() else None, seconds)


def send(client, model, rows, name):
    """Let the router answer rows of a churn table, and tell it what became of them."""
    for part in rows.with_row_index("n").iter_slices(100):
        questions = [
            {"id": f"{name}{row['n']}", "key": str(row["n"]), "time": row["at"], "features": {"x": row["x"]}}
            for row in part.iter_rows(named=True)
        ]
        client.predict(model, questions)
        labels = [{"prediction_id": f"{name}{n}", "value": float(y)} for n, y in part.select("n", "y").rows()]
        client.send_outcomes(model, labels)
    client.sync(model)


def days_ago(days):
    """A moment on the wall clock."""
    return datetime.now(UTC) - timedelta(days=days)
