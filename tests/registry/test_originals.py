"""Fitted pipelines that are served as they are: what is loaded, and what never is."""

import io
import json
import pathlib
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import polars as pl
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures

from registry.artifacts import ArtifactStore
from registry.errors import ArtifactRefused
from registry.originals import original_spec, own_types, stored
from registry.scoring.scorer import Scorer, scorer_files

ROWS = [{"x": 1.0, "y": 2.0}, {"x": -1.0, "y": 0.5}, {"y": 3, "x": True}]
SPEC = original_spec("binary", ["x", "y"], [], ["x", "y"])


@pytest.fixture(scope="module")
def pipeline():
    frame = pl.DataFrame({"x": np.linspace(-1, 1, 40), "y": np.tile([0.0, 1.0], 20)})
    return make_pipeline(PolynomialFeatures(2), LogisticRegression()).fit(frame, frame["x"] > 0)


def test_an_original_scores_as_the_pipeline_does(pipeline):
    scorer = Scorer.of(scorer_files(SPEC, stored(pipeline)))
    expected = pipeline.predict_proba(pl.DataFrame({"x": [1.0, -1.0, 1.0], "y": [2.0, 0.5, 3.0]}))[:, 1]

    assert (scorer.serving, scorer.compiled) == ("original", None)
    assert scorer.score(ROWS).tolist() == expected.tolist()
    assert scorer.predictions(scorer.score(ROWS)) == [1, 0, 1]


def test_a_number_that_is_none_names_the_feature(pipeline):
    with pytest.raises(ValueError, match="feature 'y' is 'many', not a number"):
        Scorer.of(scorer_files(SPEC, stored(pipeline))).score([{"x": 1, "y": "many"}])


@pytest.mark.parametrize(
    "model",
    [
        KNeighborsClassifier(),
        KNeighborsClassifier(algorithm="ball_tree", metric="manhattan"),
        GaussianProcessClassifier(),
        CalibratedClassifierCV(LogisticRegression()),
    ],
    ids=lambda model: type(model).__name__,
)
def test_estimators_of_scikit_learn_with_types_of_its_own_are_served(model):
    frame = pl.DataFrame({"x": np.linspace(-1, 1, 60), "y": np.tile([0.0, 1.0, 3.0], 20)})
    pipeline = make_pipeline(PolynomialFeatures(2), model).fit(frame, frame["x"] > 0)
    scorer = Scorer.of(scorer_files(SPEC, stored(pipeline)))

    assert own_types(pipeline, "sklearn") == ()
    assert scorer.score(frame.to_dicts()).tolist() == pipeline.predict_proba(frame)[:, 1].tolist()


def home_made(table):
    return table


def test_code_of_others_is_neither_stored_nor_loaded(pipeline):
    import skops.io

    foreign = make_pipeline(FunctionTransformer(home_made), pipeline[-1])
    with pytest.raises(ArtifactRefused, match=r"holds types that are not trusted: .*home_made"):
        stored(foreign)
    with pytest.raises(ArtifactRefused, match=r"holds types that are not trusted: .*home_made"):
        Scorer.of(scorer_files(SPEC, skops.io.dumps(foreign)))


@pytest.mark.parametrize("raw", [b"", b"nonsense", b"\x80\x04]\x94."])
def test_bytes_that_are_no_pipeline_are_refused(raw):
    with pytest.raises(ArtifactRefused, match="unreadable"):
        Scorer.of(scorer_files(SPEC, raw))


def test_without_the_extra_the_refusal_says_what_to_install(pipeline, tmp_path):
    for name, content in scorer_files(SPEC, stored(pipeline)).items():
        (tmp_path / name).write_bytes(content)
    code = (
        "import sys; from pathlib import Path\n"
        "sys.modules['skops'] = None\n"
        "from registry.errors import ArtifactRefused\n"
        "from registry.scoring.scorer import Scorer\n"
        "try: Scorer.load(Path(sys.argv[1]))\n"
        "except ArtifactRefused as refusal: print(refusal)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    told = subprocess.run(command, check=True, timeout=60, stdout=-1, text=True).stdout

    assert "It is a fitted pipeline, and skops" in told
    assert "pip install 'understudy[flows]'" in told


def test_several_classes_have_a_probability_each_and_a_name():
    table = pl.DataFrame({"x": np.linspace(-1, 1, 60), "y": np.tile([0.0, 1.0], 30)})
    classes = ("low", "middle", "high", "never seen in the fit")
    fitted = make_pipeline(PolynomialFeatures(2), LogisticRegression()).fit(table, np.arange(60) // 20)
    spec = original_spec("multiclass", ["x", "y"], [], ["x", "y"], classes)
    scorer = Scorer.of(scorer_files(spec, stored(fitted)))
    rows = table.to_dicts()
    found = scorer.probabilities(rows)

    assert found[:, :3].tolist() == fitted.predict_proba(table).tolist()
    assert not found[:, 3].any()
    assert scorer.score(rows).tolist() == found.max(axis=1).tolist()
    assert scorer.predictions(found) == [classes[place] for place in fitted.predict(table)]
    assert (scorer.probabilities([]).shape, scorer.score([]).shape) == ((0, 4), (0,))


class Payload:
    """Touches a file when it is unpickled, or called."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return pathlib.Path.touch, (self.marker,)


def schema_of(content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", json.dumps({"protocol": 2, "_skops_version": "0.16", **content}))
    return file.getvalue()


def node(module, name, loader, **content):
    return {"__class__": name, "__module__": module, "__loader__": loader, "__id__": 1, **content}


def text(value):
    return node("builtins", "str", "JsonNode", content=json.dumps(value), is_json=True)


def called(module, name, argument):
    """A skops file that calls a function when it is loaded."""
    arguments = node("builtins", "tuple", "TupleNode", content=[text(argument)])
    return schema_of(node(module, name, "ConstructorFromReduceNode", content=arguments))


@pytest.mark.parametrize(
    "make",
    [
        lambda marker: pickle.dumps(Payload(marker)),
        lambda marker: called("os", "system", f"touch {marker}"),
        lambda marker: called("builtins", "eval", f"open({str(marker)!r}, 'w')"),
        lambda marker: called("subprocess", "getoutput", f"touch {marker}"),
        lambda marker: schema_of(
            node(
                "builtins",
                "eval",
                "OperatorFuncNode",
                attrs=node("builtins", "tuple", "TupleNode", content=[text(f"open({str(marker)!r}, 'w')")]),
            )
        ),
    ],
    ids=["pickle", "os.system", "eval", "subprocess", "operator"],
)
def test_a_payload_is_refused_and_never_executed(make, tmp_path):
    marker = tmp_path / "executed"
    raw = make(marker)
    with pytest.raises(ArtifactRefused, match=r"not trusted|unreadable"):
        Scorer.of(scorer_files(SPEC, raw))

    assert not marker.exists()


def test_the_payload_of_these_tests_works(tmp_path):
    pickle.loads(pickle.dumps(Payload(tmp_path / "executed")))

    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda folder: (folder / "pipeline.skops").write_bytes(b"\x80\x04]\x94."), "pipeline.skops was altered"),
        (lambda folder: _flip(folder / "pipeline.skops"), "pipeline.skops was altered"),
        (lambda folder: _flip(folder / "scorer.json"), "scorer.json was altered"),
        (lambda folder: (folder / "custom_objects.pkl").write_bytes(b"x"), "custom_objects.pkl was added"),
        (lambda folder: (folder / "scorer.json").unlink(), "scorer.json is missing"),
    ],
    ids=["replaced", "one bit", "one bit of the spec", "a file more", "a file less"],
)
def test_an_original_that_was_touched_is_refused_before_it_is_read(pipeline, tmp_path, harm, why):
    store = ArtifactStore(tmp_path)
    digest = store.save("churn", "v1.0.0", scorer_files(SPEC, stored(pipeline)))
    harm(store.open("churn", "v1.0.0", digest))

    with pytest.raises(ArtifactRefused, match=why):
        store.load("churn", "v1.0.0", digest)


def _flip(path):
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
