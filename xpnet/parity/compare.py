"""How two runs are compared: initial loss, first gradient, loss curve, final parameters."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .. import backends
from .cases import N_STEPS, Case

TOLERANCES = {"float64": 1e-12, "float32": 1e-5}
"""Largest relative norm of a difference from NumPy in float64, over 100 steps."""

MEASURES = ("initial loss", "first gradient", "loss curve", "final parameters")


class Target(NamedTuple):
    """A backend, one of its devices, and how it runs.

    Attributes
    ----------
    backend : str
    device : str or None
    compile : bool
        As `Trainer` takes it.

    Examples
    --------
    >>> from xpnet.parity import Target
    >>> Target.parse("torch:cuda:1")
    Target(backend='torch', device='cuda:1', compile=True)
    """

    backend: str
    device: str | None = None
    compile: bool = True

    @classmethod
    def parse(cls, text: str) -> Target:
        """Return the target of 'name' or 'name:device'."""
        name, _, device = text.partition(":")
        return cls(backends.check_name(name), device or None)

    def __str__(self) -> str:
        place = self.backend if self.device is None else f"{self.backend}:{self.device}"
        return place if self.compile else f"{place} eager"

    def supports(self, dtype: str) -> bool:
        """Return whether the device has that type."""
        backend = backends.get(self.backend, self.device)
        try:
            with backend.session(dtype):
                backend.dtype(dtype)
        except ValueError:
            return False
        return True


class Trace(NamedTuple):
    """What is compared of a run, on the host in float64.

    Attributes
    ----------
    initial_loss, first_gradient, loss_curve, final_parameters : numpy.ndarray
    """

    initial_loss: np.ndarray
    first_gradient: np.ndarray
    loss_curve: np.ndarray
    final_parameters: np.ndarray


@dataclass(frozen=True)
class Comparison:
    """A case on a target against the reference.

    Attributes
    ----------
    case : Case
    target : Target
    errors : dict of str to float
        Relative norm of the difference, by measure.
    tolerance : float
    failure : str or None
        The traceback, where the run itself failed and there is nothing to compare.

    Examples
    --------
    >>> from xpnet import parity
    >>> found = parity.compare(parity.covering()[0], parity.Target("numpy"))
    >>> found.passed, max(found.errors.values()) < found.tolerance
    (True, True)
    """

    case: Case
    target: Target
    errors: dict[str, float]
    tolerance: float
    failure: str | None = None

    @property
    def judged(self) -> dict[str, float]:
        """The errors that count: in float32, rules with a sign are judged by losses only."""
        if self.case.dtype == "float32" and self.case.jumps:
            return {m: e for m, e in self.errors.items() if "loss" in m}
        return self.errors

    @property
    def passed(self) -> bool:
        """Whether all errors that count are within the tolerance (NaN is not)."""
        return self.failure is None and self.worst <= self.tolerance

    @property
    def worst(self) -> float:
        """The largest error that counts; infinity if the run failed or is not a number."""
        errors = np.array([*self.judged.values()])
        return float(np.nan_to_num(np.max(errors), nan=np.inf)) if errors.size else np.inf


def trace(case: Case, target: Target, dtype: str | None = None) -> Trace:
    """Run a case on a target and return what is compared."""
    trainer = case.trainer(target.backend, target.device, dtype, compile=target.compile)
    x, t, weights = case.data()
    start = trainer.initialize()
    loss, gradient = trainer.loss_and_gradient(x, t, sample_weight=weights, state=start)
    history = trainer.fit(
        x,
        t,
        iterations=N_STEPS,
        sampling=case.sampling,
        sample_weight=weights,
        step_losses="before",
        state=start,
    )
    params = backends.to_host(trainer.state_.params)
    parts = (loss, gradient, np.array(history.step_losses), params)
    return Trace(*(np.asarray(part, dtype=np.float64) for part in parts))


@functools.lru_cache(maxsize=256)
def reference(case: Case) -> Trace:
    """Return the trace of a case on NumPy in float64, call by call."""
    return trace(case, Target("numpy", compile=False), "float64")


def compare(case: Case, target: Target) -> Comparison:
    """Run a case on a target and compare it with the reference.

    Parameters
    ----------
    case : Case
    target : Target

    Returns
    -------
    Comparison

    Examples
    --------
    >>> from xpnet import parity
    >>> parity.compare(parity.covering()[0], parity.Target("numpy")).passed
    True
    """
    pairs: Any = zip(MEASURES, trace(case, target), reference(case), strict=True)
    errors = {
        name: float(np.linalg.norm(mine - exact) / np.maximum(np.linalg.norm(exact), 1e-300))
        for name, mine, exact in pairs
    }
    return Comparison(case, target, errors, TOLERANCES[case.dtype])
