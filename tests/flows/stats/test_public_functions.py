"""
Every public function, with every argument made bad in turn: a result without NaN, or a ValueError in words.

A function is public if its module is; what only other modules of `flows.stats` call is in INNER.
"""

import ast
import importlib
import inspect
import math
import pkgutil
from dataclasses import fields, is_dataclass

import numpy as np
import pytest

import flows.stats
from flows.stats.bayes.beliefs import mean_belief, rate_belief
from flows.stats.moments import CoMoments, JointMoments, Moments
from flows.stats.paired.ranking import auc
from flows.stats.paired.sums import mean_of, mean_rows
from flows.stats.planning.question import Question
from flows.stats.results import Effect
from flows.stats.sequential.cusum import Chart
from flows.stats.sequential.group.design import GroupDesign
from flows.stats.sequential.group.spending import obrien_fleming
from flows.stats.sequential.strata import key_cell, value_cell
from flows.stats.sequential.wald_sprt import ErrorBudget

INNER = (
    "flows.stats.checks",
    "flows.stats.tails",
    "flows.stats.wald",
    "flows.stats.bayes.quadrature",
    "flows.stats.integrity.multinomial",
    "flows.stats.paired.bca",
    "flows.stats.paired.clusters",
    "flows.stats.planning.crossing",
    "flows.stats.planning.solving",
    "flows.stats.planning.endings",
    "flows.stats.sequential.arms",
    "flows.stats.sequential.discrete",
    "flows.stats.sequential.mixture",
    "flows.stats.sequential.units",
    "flows.stats.sequential.group.futility",
    "flows.stats.sequential.group.walk",
    "flows.stats.unpaired.formulae",
)
INNER_FUNCTIONS = {
    "differences", "same_up_to_rounding", "placements", "resampled_sums", "renamed", "effect_of", "ratio_freedom",
    "lift_effect", "slope", "score_effect", "score_z", "checked_share", "stakes", "log_capital",
    "unit_scale", "walked", "walk_bounds", "fixed_bounds", "layers_between", "exits", "region", "log_difference",
    "increasing", "sides", "planned", "futile", "stagewise", "stagewise_log_p", "repeated_log_p", "log_nominal",
    "shifted", "adjusted_pairs", "two_sample_clock", "tango_score", "ratio_pairs",
    "tuned_scale", "mean_of", "f1_of", "precision_of", "recall_of", "calibration_of", "widened", "outlook",
}  # fmt: skip

rng = np.random.default_rng(0)
N = 40
LABELS = np.tile([0.0, 1.0, 1.0, 0.0], N // 4)
A = np.clip(0.3 + 0.3 * LABELS + 0.2 * rng.normal(size=N), 0.01, 0.99)
B = np.clip(0.3 + 0.4 * LABELS + 0.2 * rng.normal(size=N), 0.01, 0.99)
MOMENTS = Moments.of(A)
KEYS = CoMoments.of(rng.integers(1, 5, N), A)
KEYS4 = JointMoments.of(np.stack([rng.integers(1, 5, N), A, rng.integers(1, 5, N), B], axis=1))
HALVES = np.linspace(0.7, 0.9, 10).reshape(5, 2)
COUNTS, WEIGHTS = {"a": 480, "b": 520}, {"a": 1.0, "b": 1.0}
STRATA = {"10 %": (MOMENTS, Moments.of(B)), "50 %": (Moments.of(B), MOMENTS)}
LOG_P = {"one": -3.0, "two": -4.0}
DESIGN = GroupDesign(horizon=1000)
QUESTION = Question(kind="mean", champion=1.0, effect=0.1, sd=1.0)
ARMS = {"champion": rate_belief(50, 1000), "challenger": rate_belief(65, 1000)}

BY_NAME = {
    "champion": A, "challenger": B, "labels": LABELS, "scores": A, "clusters": [str(i // 2) for i in range(N)],
    "confidence": 0.95, "alpha": 0.05, "margin": 0.2, "seed": 1, "replicates": 100, "resamples": 99, "metric": auc,
    "lost": 5, "won": 9, "n": 100, "both": 60, "horizon": 2, "power": 0.8, "train": 75, "test": 25,
    "values": A, "actual": 1 + A, "predicted": B, "probabilities": A, "successes": 30, "method": None,
    "rewards": A, "chosen": LABELS, "propensities": np.full(N, 0.5), "target": LABELS, "floor": 0.1,
    "counts": COUNTS, "weights": WEIGHTS, "phases": {"one": (COUNTS, WEIGHTS)}, "strata": STRATA,
    "served": {"a": 500, "b": 500}, "labelled": {"a": 400, "b": 390}, "log_p": LOG_P, "log_e": [1.0, -0.5],
    "moments": MOMENTS, "keys": KEYS, "sample": A, "q": 0.5, "quantile": 0.5, "lower_is_better": False,
    "difference": 0.02, "discordance": 0.1, "effect": 0.1, "sd": 1.0, "rate": 0.1, "good": 0.01, "bad": 0.02,
    "chart": Chart(reference=0.25, limit=2.0), "mean": 0.2, "reference": 0.25, "run_length": 100.0,
    "design": DESIGN, "drift": 2.0, "times": (0.5, 1.0), "spending": obrien_fleming(), "rho": 2.0, "gamma": -2.0,
    "question": QUESTION, "labels_": 1000.0, "ones": 100, "zeros": 100, "area": 0.8, "correlation": 0.5,
    "size": 5.0, "icc": 0.1, "planned": (0.5, 0.5), "seen": (0.52, 0.48), "freedom": 2, "fixed": 1000.0,
    "arms": ARMS, "total": 1000, "shares": {"a": 0.25, "b": 0.75}, "events": 30, "discordant": 50.0,
    "pairs": 200, "estimate": 0.1, "error": 0.05, "prior": 0.1, "right": np.stack([LABELS, 1 - LABELS, LABELS], 1),
    "guardrails": 3, "shape": 0.25, "earlier": (2.5,), "looks": ((500, 0.1, 0.05),), "test_": None,
    "champion_errors": A, "challenger_errors": B, "requested": np.arange(N) + 0.0, "now": 100.0, "age": 10.0,
    "tests": ErrorBudget(allowed=0.1, broken=0.3), "below": 1 + A, "above": B, "a": 1.0,
    "k": 5, "queries": [str(i // 4) for i in range(N)], "alternative": "greater",
}  # fmt: skip
SHARES = {"champion": (30, 100), "challenger": (40, 100)}
SAMPLES = {"champion": MOMENTS, "challenger": Moments.of(B)}
PAIRS = {"champion": KEYS, "challenger": CoMoments.of(rng.integers(1, 5, N), B)}
JOINT = {"champion": KEYS4, "challenger": KEYS4}
AREAS = {"champion": 0.8, "challenger": 0.85}
CELLS = {"strata": [(value_cell("a", MOMENTS), value_cell("b", Moments.of(B))), (key_cell("a", KEYS),) * 2]}
EFFECT = Effect(method="z", estimate=0.1, low=0.0, high=0.2, p_value=0.05, log_p=math.log(0.05), n=9)
BY_FUNCTION = {
    **dict.fromkeys(("proportion_z", "newcombe", "agresti_caffo", "miettinen_nurminen", "mee", "fisher"), SHARES),
    **dict.fromkeys(("share_not_inferior", "share_equivalent", "share_lift", "rare_rates_sequence"), SHARES),
    **dict.fromkeys(("two_rates_sequence", "rate_ratio_sequence"), SHARES),
    **dict.fromkeys(("relative_lift", "fieller", "welch", "not_inferior", "equivalent"), SAMPLES),
    **dict.fromkeys(("two_sample_sequence", "relative_sequence"), SAMPLES),
    **dict.fromkeys(("cuped", "cuped_lift", "ratio_difference", "ratio_lift", "unit_sequence"), PAIRS),
    **dict.fromkeys(("unit_relative_sequence",), PAIRS),
    **dict.fromkeys(("cuped_ratio", "cuped_ratio_lift"), JOINT),
    **{key: {"champion": mean_rows(A), "challenger": mean_rows(B)} for key in ("bootstrap_sums", "sign_flip_sums")},
    **{key: {"champion": HALVES, "challenger": HALVES[::-1] ** 2} for key in ("five_by_two_t", "five_by_two_f")},
    **dict.fromkeys(("two_areas_power", "two_areas_n", "two_proportions_power", "two_proportions_n"), AREAS),
    **dict.fromkeys(("group_proportions", "independent_discordance"), AREAS),
    **{
        key: {"test": ErrorBudget(allowed=0.1, broken=0.3)} for key in ("wald_characteristics", "exact_characteristics")
    },
    "mcnemar": {"champion": LABELS, "challenger": 1 - LABELS},
    "confusion_rows": {"predicted": 1 - LABELS},
    "friedman": {"scores": np.stack([A, B, A * B], 1)},
    "holm": {"log_p": [-3.0, -4.0]},
    "adjusted": {"log_p": [-3.0, -4.0]},
    "running_log_p": {"log_p": [-3.0, -4.0]},
    "probability": {"log_p": -3.0},
    "log_e_from_log_p": {"log_p": -3.0},
    "log_p_from_log_e": {"log_e": 3.0},
    "discordant_trace": {"lost": [1, 2, 3], "won": [2, 2, 4]},
    "compare_many": {"champion": ([10, 20], [1.0, 2.0], [9.0, 9.0]), "challenger": ([10, 20], [1.0, 2.0], [9.0, 9.0])},
    "posterior": {"champion": rate_belief(5, 10), "challenger": mean_belief((10, 0.5, 2.0))},
    "sign_flip_sums": {"champion": mean_rows(A), "challenger": mean_rows(B), "metric": mean_of},
    "bootstrap_sums": {"champion": mean_rows(A), "challenger": mean_rows(B), "metric": mean_of},
    "weight_check": {"weights": 2 * A},
    "average_log_e": {"log_e": [1.0, -0.5]},
    "maturity": {"labelled": np.arange(N) + 5.0, "arms": ["a", "b"] * (N // 2)},
    "label_statement": {"keys": [str(i) for i in range(N)], "values": A},
    "unknown_arms": {"arms": ARMS},
    "poisson_run_length": {"chart": Chart(reference=2.0, limit=3.0), "mean": 2.0},
    "poisson_reference": {"good": 4.0, "bad": 7.0},
    "normal_run_length": {"chart": Chart(reference=0.5, limit=3.0)},
    "detectable": {"labels": 1000.0},
    "detectable_split": {"n": 10_000},
    "last_bound": {"times": (0.5, 1.0), "earlier": (2.5,)},
    "operating": {},
    "one_sided": {"effect": EFFECT},
    "exact_characteristics": {"test": ErrorBudget(allowed=0.1, broken=0.3), "horizon": 50},
    "group_means": {"effect": 0.1, "sd": 1.0},
    "share_interval": {"successes": 30},
    **dict.fromkeys(("two_areas_power", "two_areas_n"), AREAS | {"ones": 0.3}),
    "monitor": {"design": DESIGN},
    "diebold_mariano": {"power": 2.0},
    "unit_paired_sequence": {"keys": KEYS},
    "guardrail_power": {"power": 0.8},
    "mean_belief": {"moments": MOMENTS},
    "rate_belief": {"n": 100},
    "largest_remainder": {"total": 1000},
    "area_variance": {"area": 0.8},
    "recall_at": {"k": 5},
    "value_cell": {"name": "champion", "given": MOMENTS},
    "key_cell": {"name": "champion", "given": KEYS},
    **dict.fromkeys(("stratified_gain", "stratified_sequence"), CELLS),
}

ARRAYS = {
    "empty": lambda x: x[:0],
    "one row": lambda x: x[:1],
    "two rows": lambda x: x[:2],
    "constant": lambda x: np.full_like(x, x.flat[0]),
    "zeros": np.zeros_like,
    "NaN": lambda x: np.where(np.arange(len(x)).reshape((-1,) + (1,) * (x.ndim - 1)) == 1, np.nan, x),
    "infinite": lambda x: np.where(np.arange(len(x)).reshape((-1,) + (1,) * (x.ndim - 1)) == 1, np.inf, x),
    "huge": lambda x: x * 1e160,
    "far": lambda x: x + 1e8,
    "half": lambda x: x[: len(x) // 2],
    "labels of 2": lambda x: np.where(x == 1, 2.0, x),
}
NUMBERS = (math.nan, math.inf, -math.inf, -1.0, -1, 0, 0.0, 1, 1.0, 0.5, 1.5)
TUPLES = {
    "empty": lambda x: (0, *tuple(0 * v for v in x[1:])),
    "of one": lambda x: (1, *tuple(0 * v for v in x[1:])),
    "negative": lambda x: (-1, *tuple(x[1:])),
    "NaN": lambda x: (*tuple(x[:-1]), math.nan),
    "NaN first": lambda x: (math.nan, *tuple(x[1:])),
    "infinite": lambda x: (*tuple(x[:-1]), math.inf),
    "zeros after": lambda x: tuple(x[:1]) + tuple(0 * v for v in x[1:]),
}


def public_functions():
    for found in pkgutil.walk_packages(flows.stats.__path__, "flows.stats."):
        if found.name in INNER:
            continue
        module = importlib.import_module(found.name)
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_") | (node.name in INNER_FUNCTIONS):
                yield getattr(module, node.name)


FUNCTIONS = {f"{f.__module__[12:]}.{f.__name__}": f for f in public_functions()}
del FUNCTIONS["unpaired.cuped.adjusted"]


def usual(function):
    """Arguments that it takes: all without a default, and the optional ones that are numbers; few repetitions."""
    given = {}
    for name, parameter in inspect.signature(function).parameters.items():
        own = BY_FUNCTION.get(function.__name__, {})
        if name in own:
            given[name] = own[name]
        elif parameter.default is inspect.Parameter.empty or name in ("replicates", "resamples"):
            given[name] = BY_NAME[name]
        elif isinstance(parameter.default, (int, float)) and not isinstance(parameter.default, bool):
            given[name] = parameter.default
    return given


def spoiled(value):
    """The same argument, bad in every way that its kind can be."""
    if isinstance(value, np.ndarray):
        return [(name, make(value)) for name, make in ARRAYS.items()]
    if isinstance(value, (bool, Chart, GroupDesign, ErrorBudget, Question)):
        return []
    if isinstance(value, (int, float)):
        return [(str(number), number) for number in NUMBERS]
    if isinstance(value, tuple) and value and all(isinstance(part, (int, float)) for part in value):
        return [(name, make(value)) for name, make in TUPLES.items()]
    if isinstance(value, list) and all(isinstance(part, (int, float)) for part in value):
        return [(name, make(np.array(value, dtype=float))) for name, make in ARRAYS.items()]
    if isinstance(value, dict) and value and all(isinstance(part, (int, float)) for part in value.values()):
        first = next(iter(value))
        return [("empty", {}), *((str(number), value | {first: number}) for number in NUMBERS)]
    return []


def parts_of(result):
    if is_dataclass(result):
        return {field.name: getattr(result, field.name) for field in fields(result)}
    if isinstance(result, (tuple, list)):
        return dict(enumerate(result))
    return result if isinstance(result, dict) else {}


def numbers_of(result):
    """Every number within a result, with the way to it."""
    for name, part in parts_of(result).items():
        yield from ((f"{name}.{path}", number) for path, number in numbers_of(part))
    if isinstance(result, np.ndarray) and result.dtype.kind == "f":
        yield "", float(np.nan if np.isnan(result).any() else 1.0)
    elif isinstance(result, (float, np.floating)):
        yield "", float(result)


def complaint(function, arguments) -> str:
    """What is wrong with the answer, or nothing."""
    try:
        result = function(**arguments)
    except ValueError as error:
        text = str(error)
        return "" if len(text) > 12 and ("; " in text or "must" in text or "give" in text) else f"terse: {text!r}"
    except Exception as error:  # noqa: BLE001 what it is shall be shown
        return f"{type(error).__name__}: {error}"
    for path, number in numbers_of(result):
        if math.isnan(number):
            return f"NaN in {path}"
        if path.startswith("p_value") and not 0 < number <= 1:
            return f"{path} is {number}"
    return ""


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_public_function_answers_without_nan_or_refuses_in_words(name):
    function = FUNCTIONS[name]
    arguments = usual(function)
    assert not complaint(function, arguments), "the usual arguments"
    function(**arguments)

    found = [
        f"{argument} {how}: {said}"
        for argument, value in arguments.items()
        for how, bad in spoiled(value)
        if (said := complaint(function, arguments | {argument: bad}))
    ]
    both = [argument for argument in ("champion", "challenger", "labels") if argument in arguments]
    found += [
        f"both {how}: {said}"
        for how in (ARRAYS if isinstance(arguments.get("champion"), np.ndarray) else ())
        if (said := complaint(function, arguments | {x: ARRAYS[how](arguments[x]) for x in both}))
    ]
    assert not found, "\n".join(found)
