"""Classes of a model version."""

import pytest
from registry_making import a_version

from registry.errors import InvalidRecord


def test_a_version_of_several_classes_names_them():
    assert a_version(task="multiclass", classes=("a", "b", "c")).classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("task", "classes", "said"),
    [
        ("multiclass", (), "has 0 of at least 3 classes"),
        ("multiclass", ("a", "b", "b"), "class 'b' is listed twice"),
        ("binary", ("a", "b", "c"), "task is binary, but it has classes"),
    ],
)
def test_classes_that_do_not_fit_the_task_are_refused(task, classes, said):
    with pytest.raises(InvalidRecord, match=said):
        a_version(task=task, classes=classes)
