"""Compiled scorers: what they take, what they refuse, where their code is kept, and what they load."""

import os
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import ArtifactRefused, InvalidRecord
from registry.scoring.cache import cache_folder
from registry.scoring.forest import Forest
from registry.scoring.layers import Layers
from registry.scoring.scorer import Scorer, scorer_files
from registry.scoring.spec import CategoryColumn, NumericColumn, ScorerSpec

COLOUR = CategoryColumn(feature="colour", table={"red": (1.0,), "green": (2.0,)}, unknown=(3.0,), missing=(4.0,))


def array(kind, *numbers):
    return np.array(numbers, dtype=kind)


def stump(**changes):
    """One tree: x below 0.5, missing to the left, gives 1, else 2."""
    parts = {
        "look_column": array("i4", 0),
        "look_missing": array("f8", -np.inf),
        "look_tiny": array("f8", -1),
        "look_zero": array("f8", 0),
        "look_members": array("i4", -1),
        "set_starts": array("i8", 0),
        "set_members": array("u1"),
        "look": array("i4", 0, 0, 0),
        "threshold": array("f4", 0.5, 0, 0),
        "left": array("i4", 1, -1, -1),
        "right": array("i4", 2, -1, -1),
        "value": array("f4", 0, 1, 2),
        "roots": array("i4", 0),
    }
    return Forest(**(parts | changes))


def spec_of(kind="forest", **fields):
    columns = fields.pop("columns", (NumericColumn(feature="x"),))
    return ScorerSpec(task="regression", kind=kind, columns=columns, arrays="forest.npz", **fields)


def scorer_of(forest, **fields):
    return Scorer.of(scorer_files(spec_of(**fields), None, forest.to_bytes()))


def test_a_stump_compares_in_single_precision_and_sends_missing_where_it_says():
    rows = [{"x": v} for v in (0.4, 0.5, np.nextafter(0.5, 0), None, 1e39, -1e39, float("nan"))]

    assert scorer_of(stump()).score(rows).tolist() == [1, 2, 2, 1, 2, 1, 1]


def test_raw_rows_are_numbers_codes_and_nan():
    compiled = Scorer(
        ScorerSpec(
            task="regression", kind="linear", columns=(NumericColumn(feature="x"), COLOUR), coefficients=(1.0, 10.0)
        )
    ).compiled
    raw = np.array([[1, 0], [1, 1], [1, 2], [1, np.nan], [1, 99], [1, -7]], dtype=float)
    out = np.empty(6)
    compiled.scores(raw, 6, out)

    assert compiled.features == ("x", "colour")
    assert compiled.levels == (None, {"red": 0, "green": 1})
    assert out.tolist() == [11, 21, 31, 41, 31, 31]
    assert 0 < compiled.us_per_row < 1000


def test_the_order_of_callers_is_that_of_the_inputs():
    spec = ScorerSpec(
        task="regression",
        kind="linear",
        columns=(COLOUR, NumericColumn(feature="x")),
        inputs=("x", "colour"),
        coefficients=(10.0, 1.0),
    )

    assert Scorer(spec).compiled.features == ("x", "colour")
    assert Scorer(spec).score([{"x": 1, "colour": "green"}]).tolist() == [21]


def test_columns_with_other_tables_of_one_feature_share_its_codes():
    other = CategoryColumn(feature="colour", table={"blue": (7.0,)}, unknown=(8.0,), missing=(9.0,))
    spec = ScorerSpec(task="regression", kind="linear", columns=(COLOUR, other), coefficients=(1.0, 10.0))
    rows = [{"colour": level} for level in ("red", "blue", "pink", None)]

    assert Scorer(spec).score(rows).tolist() == [81, 73, 83, 94]


@pytest.mark.parametrize(("shape", "n", "room"), [((4, 1), 5, 9), ((4, 1), -1, 9), ((4, 1), 4, 3), ((4, 2), 1, 4)])
def test_rows_that_do_not_fit_are_refused(shape, n, room):
    with pytest.raises(ValueError, match="rows do not fit"):
        scorer_of(stump()).compiled.scores(np.zeros(shape), n, np.zeros(room))


def test_arrays_of_another_kind_are_refused_rather_than_compiled_for():
    compiled, frozen = scorer_of(stump()).compiled, np.zeros((4, 1))
    frozen.flags.writeable = False

    for raw in (np.zeros((4, 1), dtype=np.float32), np.zeros((8, 1))[::2], frozen):
        with pytest.raises(ValueError, match="must be writable float64"):
            compiled.scores(raw, 1, np.zeros(4))
    with pytest.raises(ValueError, match="must be writable float64"):
        compiled.scores(np.zeros((4, 1)), 1, np.zeros(8)[::2])
    assert len(compiled.node.kernel.signatures) <= 3


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"look": array("i4", 1, 0, 0)}, "a node looks at nothing"),
        ({"left": array("i4", 3, -1, -1)}, "a child is no node"),
        ({"left": array("i4", 0, -1, -1)}, "a child comes before its parent"),
        ({"right": array("i4", 2, 1, -1)}, "a leaf has a child"),
        ({"roots": array("i4", 3)}, "a root is no node"),
        ({"roots": array("i4")}, "there is no tree"),
        ({"look_column": array("i4", 1)}, "a look leaves the encoded columns"),
        ({"look_members": array("i4", 0)}, "a look leaves the sets"),
        ({"set_starts": array("i8", 0, 9)}, "set_starts do not ascend"),
        ({"set_starts": array("i8")}, "set_starts is empty"),
        ({"value": array("f4", 0, 1)}, "value has 2 entries, not 3"),
        ({"value": array("f4", 0, 1, np.inf)}, "a leaf is not finite"),
        ({"threshold": array("f4", np.nan, 0, 0)}, "a threshold is not a number"),
        ({"threshold": array("i8", 0, 0, 0)}, "threshold is int64"),
    ],
)
def test_trees_that_would_lead_astray_are_refused(changes, why):
    with pytest.raises(ArtifactRefused, match=why):
        scorer_of(stump(**changes))


@given(place=st.integers(0, 10_000), byte=st.integers(0, 255))
def test_altered_bytes_are_refused_or_still_score(place, byte):
    raw = bytearray(stump().to_bytes())
    raw[place % len(raw)] = byte
    try:
        scores = Scorer.of(scorer_files(spec_of(), None, bytes(raw))).score([{"x": 1.0}, {}])
    except ArtifactRefused:
        return
    assert scores.shape == (2,)


def test_pickled_arrays_are_never_loaded(tmp_path):
    path = tmp_path / "forest.npz"
    np.savez(path, look=np.array([{}], dtype=object))

    with pytest.raises(ArtifactRefused, match="no readable npz file: Object arrays cannot be loaded"):
        Scorer.of(scorer_files(spec_of(), None, path.read_bytes()))


@pytest.mark.parametrize(
    ("sizes", "weights", "why"),
    [([1, 2, 1], 6, "6 weights, expected 7"), ([3, 1], 4, "cannot take 1 columns"), ([1, 2], 4, "to one score")],
)
def test_layers_that_do_not_fit_are_refused(sizes, weights, why):
    layers = Layers(np.array(sizes), np.zeros(weights))
    spec = spec_of("mlp")

    with pytest.raises(ArtifactRefused, match=why):
        Scorer.of(scorer_files(spec, None, layers.to_bytes()))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"inputs": ("x", "y")}, "no column uses the input y"),
        ({"inputs": ("y",)}, "x is no input"),
        ({"divisor": 0.0}, "divisor not 0"),
        ({"columns": (NumericColumn(feature="colour"), COLOUR)}, "used as a number and as a category"),
    ],
)
def test_a_spec_that_contradicts_itself_is_refused(fields, why):
    with pytest.raises(InvalidRecord, match=why):
        spec_of(**fields)


def test_threads_share_a_scorer():
    compiled = scorer_of(stump()).compiled
    raw = np.random.default_rng(0).normal(size=(5000, 1))
    outs = [np.empty(5000) for _ in range(4)]
    threads = [threading.Thread(target=compiled.scores, args=(raw, 5000, out)) for out in outs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert all(out.tobytes() == outs[0].tobytes() for out in outs)
    assert set(outs[0]) == {1.0, 2.0}


def test_kernels_are_kept_beside_the_source_or_in_the_state_folder(tmp_path):
    source = tmp_path / "library" / "kernels.py"
    source.parent.mkdir()
    source.write_text("1")
    beside = cache_folder(source, {"UNDERSTUDY_HOME": str(tmp_path / "state")})
    (source.parent / "__pycache__").rename(source.parent / "gone")
    (source.parent / "__pycache__").touch()  # no folder can be made there, as on a read-only file system
    fallen = cache_folder(source, {"UNDERSTUDY_HOME": str(tmp_path / "state")})
    source.write_text("2")

    assert beside.parent == source.parent / "__pycache__"
    assert fallen.parent == tmp_path / "state" / "cache"
    assert cache_folder(source, {"UNDERSTUDY_HOME": str(tmp_path / "state")}) != fallen
    assert cache_folder(source, {"NUMBA_CACHE_DIR": str(tmp_path / "own")}).parent == tmp_path / "own"


def test_a_folder_that_others_may_write_to_is_not_trusted(tmp_path):
    source = tmp_path / "kernels.py"
    source.write_text("1")
    folder = cache_folder(source, {"NUMBA_CACHE_DIR": str(tmp_path / "own")})
    folder.chmod(0o777)

    assert cache_folder(source, {"NUMBA_CACHE_DIR": str(tmp_path / "own")}) != folder


CODE = """
import sys
from pathlib import Path
from registry.scoring.scorer import Scorer
assert 'numba' not in sys.modules
scorer = Scorer.load(Path(sys.argv[1]))
foreign = ('xgboost', 'lightgbm', 'sklearn', 'skops', 'pandas', 'polars', 'scipy.stats')
loaded = [name for name in foreign if name in sys.modules]
print(scorer.score([{'x': 0.0}])[0], loaded, len(scorer.compiled.node.kernel.stats.cache_misses))
"""


def run_apart(folder, **environ):
    command = [sys.executable, "-c", CODE, str(folder)]
    whole = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environ}
    return subprocess.run(command, env=whole, check=True, timeout=120, stdout=-1, text=True).stdout.strip()


@pytest.fixture
def artifact(tmp_path):
    for name, content in scorer_files(spec_of(), None, stump().to_bytes()).items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_a_worker_with_compiled_models_loads_no_training_library(artifact):
    assert run_apart(artifact).startswith("1.0 []")


def test_a_second_start_compiles_nothing(artifact, tmp_path):
    first = run_apart(artifact, NUMBA_CACHE_DIR=str(tmp_path / "kept"))
    second = run_apart(artifact, NUMBA_CACHE_DIR=str(tmp_path / "kept"))

    assert (first, second) == ("1.0 [] 1", "1.0 [] 0")


@pytest.mark.long
def test_a_damaged_kernel_is_compiled_anew(artifact, tmp_path):
    run_apart(artifact, NUMBA_CACHE_DIR=str(tmp_path / "kept"))
    kept = [path for path in (tmp_path / "kept").rglob("*.nb*") if path.is_file()]
    for path in kept:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    assert {path.suffix for path in kept} == {".nbi", ".nbc"}
    assert run_apart(artifact, NUMBA_CACHE_DIR=str(tmp_path / "kept")).startswith("1.0 []")


@pytest.mark.long
def test_a_full_disk_keeps_no_model_from_being_served(artifact, tmp_path):
    full = "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nnone = (0, 0)\n"
    full += "resource.setrlimit(resource.RLIMIT_FSIZE, none)\n"
    environ = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kept"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", full + CODE, str(artifact)]
    told = subprocess.run(command, env=environ, check=True, timeout=120, stdout=subprocess.PIPE, text=True).stdout

    assert told.startswith("1.0 []")
    assert (tmp_path / "kept").exists()
    assert not [path for path in (tmp_path / "kept").rglob("*.nbc") if path.stat().st_size]


def test_scoring_works_where_nothing_can_be_written(artifact):
    nowhere = str(artifact / "scorer.json" / "below")
    code = "import registry.scoring.cache as c; c._usable = lambda folder: False\n" + CODE
    command = [sys.executable, "-c", code, str(artifact)]
    environ = {**os.environ, "HOME": nowhere, "UNDERSTUDY_HOME": nowhere, "NUMBA_CACHE_DIR": nowhere}
    told = subprocess.run(command, env=environ, check=True, timeout=120, stdout=-1, text=True).stdout

    assert told.startswith("1.0 []")


def test_an_artifact_of_trees_without_arrays_is_served_natively():
    import xgboost

    table = np.arange(20.0).reshape(10, 2)
    booster = xgboost.train({"nthread": 1}, xgboost.DMatrix(table, table[:, 0]), 2)
    columns = (NumericColumn(feature="x"), NumericColumn(feature="y"))
    spec = ScorerSpec(task="regression", kind="xgboost", columns=columns, booster="model.ubj")
    scorer = Scorer(spec, bytes(booster.save_raw("ubj")))

    assert (scorer.serving, scorer.compiled) == ("native", None)
    assert scorer.score([{"x": 0.0, "y": 1.0}])[0] == booster.inplace_predict(table[:1])[0]


def test_many_trees_of_all_depths_add_up_in_order():
    one = stump()
    inner = {"look": 3, "threshold": 3, "left": 3, "right": 3, "value": 3}
    forest = replace(
        one,
        **{name: np.tile(getattr(one, name), 21) for name in inner},
        roots=np.arange(21, dtype=np.int32) * 3,
    )
    shift = np.repeat(np.arange(21, dtype=np.int32) * 3, 3)
    moved = {side: np.where(getattr(forest, side) < 0, -1, getattr(forest, side) + shift) for side in ("left", "right")}
    scorer = scorer_of(replace(forest, **{side: kids.astype(np.int32) for side, kids in moved.items()}), divisor=21.0)

    assert scorer.score([{"x": 0.0}, {"x": 1.0}]).tolist() == [1, 2]
