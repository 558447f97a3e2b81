"""scikit-learn's own tests of its MLP, with our estimators in their place."""

from __future__ import annotations

import ast
import importlib.util
import sys
import types
from pathlib import Path

import pytest

import xpnet

PRIVATE = {
    "test_gradient": "_loss_grad_lbfgs",
    "test_learning_rate_warmstart": "_optimizer",
    "test_adaptive_learning_rate": "_optimizer",
    "test_n_iter_no_change": "_no_improvement_count",
    "test_n_iter_no_change_inf": "_no_improvement_count",
}
"""Left out, because they read that private attribute; test_same_curves.py has what they are for."""

IMPORT = "from sklearn.neural_network import MLPClassifier, MLPRegressor\n"

# scikit-learn's own run lets warnings pass; these are the ones that its tests do not look for.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:Got `batch_size` less than 1 or larger:UserWarning"),
]


def _swapped():
    """scikit-learn's test module, written for our estimators."""
    path = Path(importlib.util.find_spec("sklearn.neural_network.tests.test_mlp").origin)
    source = path.read_text(encoding="utf-8")
    assert source.count(IMPORT) == 1
    source = source.replace(IMPORT, IMPORT.replace("sklearn.neural_network", "xpnet"))
    module = types.ModuleType("scikit_learn_tests_of_xpnet")
    sys.modules[module.__name__] = module
    exec(compile(source, path, "exec"), module.__dict__)
    return module, source


MODULE, SOURCE = _swapped()
TESTS = {name: value for name, value in vars(MODULE).items() if name.startswith("test_")}
globals().update({name: test for name, test in TESTS.items() if name not in PRIVATE})


@pytest.fixture
def global_random_seed():
    """scikit-learn's fixture, here one seed."""
    return 42


def test_the_estimators_are_ours():
    assert MODULE.MLPClassifier is xpnet.MLPClassifier
    assert MODULE.MLPRegressor is xpnet.MLPRegressor
    assert len(TESTS) > 30


@pytest.mark.parametrize("name", PRIVATE)
def test_what_is_left_out_reads_a_private_attribute(name):
    node = next(n for n in ast.parse(SOURCE).body if getattr(n, "name", None) == name)
    assert PRIVATE[name] in {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}
