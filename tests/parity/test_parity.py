"""The heart: every case on every backend against NumPy in float64."""

import itertools
import json

import numpy as np
import pytest

from xpnet import backends, optimizers, parity
from xpnet.parity import Target
from xpnet.parity.cases import N_STEPS

TARGETS = [
    Target("numpy"),
    Target("numpy", compile=False),
    Target("cupy"),
    Target("jax"),
    Target("torch"),
    Target("array_api_strict", "device1"),
    Target("array_api_strict", "device2"),
    Target("array_api_strict", "no_x64"),
]
STATUS = backends.available()


@pytest.mark.parametrize("case", parity.covering(), ids=str)
@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_same_losses(case, target):
    if not STATUS[target.backend].usable:
        pytest.skip(f"not run: {STATUS[target.backend].reason}")
    if not target.supports(case.dtype):
        pytest.skip(f"not run: {target} has no {case.dtype}")
    result = parity.compare(case, target)
    assert result.passed, result.errors


@pytest.mark.parametrize("case", parity.covering()[:2], ids=str)
@pytest.mark.parametrize("name", ["cupy", "jax"])
def test_same_losses_call_by_call(case, name):
    if not STATUS[name].usable:
        pytest.skip(f"not run: {STATUS[name].reason}")
    result = parity.compare(case, Target(name, compile=False))
    assert result.passed, result.errors


def test_the_covering_set_has_every_pair():
    cases = [case.as_dict() for case in parity.covering()]
    assert len(cases) <= 60
    for (a, values_a), (b, values_b) in itertools.combinations(parity.FACTORS.items(), 2):
        seen = {(case[a], case[b]) for case in cases}
        assert seen == set(itertools.product(values_a, values_b)), (a, b)


def test_the_product_is_whole_and_spreads_the_other_parts():
    cases = [case.as_dict() for case in parity.product(dtype=["float64"])]
    core = ("optimizer", "net", "loss", "batches", "models", "dropout")
    sizes = [len(parity.FACTORS[name]) for name in core]
    assert len({tuple(c[n] for n in core) for c in cases}) == len(cases) == np.prod(sizes)
    for name in ("penalty", "variant", "weighted", "scheduled"):
        for other in core:
            seen = {(case[name], case[other]) for case in cases}
            assert len(seen) == len(parity.FACTORS[name]) * len(parity.FACTORS[other])


@pytest.mark.parametrize("case", parity.covering()[:6], ids=str)
def test_cases_really_train(case):
    curve = parity.reference(case).loss_curve
    assert curve.shape[0] == N_STEPS
    assert np.isfinite(curve).all()
    assert np.ptp(curve) > 0


def test_a_wrong_rule_is_found(monkeypatch):
    case = next(c for c in parity.covering() if c.optimizer == "adam" and c.dtype == "float64")
    parity.reference(case)
    right = optimizers.Adam.rule

    def wrong(self, xp, param, grad, state, c):
        param, state = right(self, xp, param, grad, state, c)
        return param * (1 + 1e-9), state

    monkeypatch.setattr(optimizers.Adam, "rule", wrong)
    result = parity.compare(case, Target("numpy"))
    assert not result.passed
    assert result.errors["initial loss"] == 0
    report = parity.Report([result])
    assert not report.passed
    assert "FAILED numpy" in report.table()


def test_not_a_number_never_passes():
    case = parity.covering()[0]
    errors = {"initial loss": 0.0, "loss curve": float("nan")}
    assert not parity.Comparison(case, Target("numpy"), errors, 1e-5).passed


def test_float32_rules_with_a_sign_are_judged_by_losses():
    case = next(c for c in parity.covering() if c.optimizer == "lion" and c.dtype == "float32")
    errors = dict.fromkeys(("initial loss", "first gradient", "loss curve", "final parameters"), 1)
    judged = parity.Comparison(case, Target("numpy"), errors, 1e-5).judged
    assert list(judged) == ["initial loss", "loss curve"]


def test_nothing_compared_is_not_passed():
    assert not parity.Report([], {"cupy": "no device"}).passed


def test_report(tmp_path):
    report = parity.run(["numpy", "numpy:cpu"], dtypes=["float32"])
    assert report.passed
    assert "tolerance" in report.table()
    report.to_json(tmp_path / "parity.json")
    content = json.loads((tmp_path / "parity.json").read_text())
    assert content["passed"] is True
    assert len(content["comparisons"]) == 2 * sum(c.dtype == "float32" for c in parity.covering())
    pytest.importorskip("matplotlib")
    assert report.plot(tmp_path / "parity.png").stat().st_size > 10_000


def test_an_eager_report_says_so():
    report = parity.run(["numpy"], dtypes=["float32"], compile=False)
    assert report.passed
    assert "numpy eager" in report.table()


def test_what_is_not_usable_is_told():
    unusable = [name for name, status in STATUS.items() if not status.usable]
    if not unusable:
        pytest.skip("every backend is usable here")
    with pytest.raises(backends.BackendUnavailableError, match=unusable[0]):
        parity.run([unusable[0]])
    with pytest.raises(ValueError, match="Did you mean 'numpy'"):
        parity.run(["nunpy"])


def test_missing_types_are_reported_as_not_run():
    pytest.importorskip("array_api_strict")
    report = parity.run(["array_api_strict:no_x64"], dtypes=["float64"])
    assert report.comparisons == []
    assert report.not_run == {"array_api_strict:no_x64 float64": "the device has no such type"}


def test_a_run_that_fails_does_not_hide_the_others(monkeypatch, tmp_path):
    first = next(c for c in parity.covering() if c.dtype == "float64")
    right = parity.compare

    def compare(case, target):
        if case == first:
            raise FloatingPointError("Training diverged")
        return right(case, target)

    monkeypatch.setattr(parity.report, "compare", compare)
    report = parity.run(["numpy"], dtypes=["float64"])
    assert [c.case for c in report.failures] == [first]
    assert len(report.comparisons) > 20
    assert f"FAILED numpy: {first}: FloatingPointError: Training diverged" in report.table()
    report.to_json(tmp_path / "parity.json")
    told = json.loads((tmp_path / "parity.json").read_text())["comparisons"]
    assert [c["passed"] for c in told].count(False) == 1


def test_a_name_is_no_list():
    with pytest.raises(TypeError, match=r"backends='numpy' must be a list, such as \['numpy'\]"):
        parity.run("numpy")
