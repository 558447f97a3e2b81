"""L-BFGS on the flat vector of parameters (scipy's L-BFGS-B)."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.optimize
from sklearn.exceptions import ConvergenceWarning

from ..backends import Array
from ..evaluation import differentiate, penalty_value
from ..placement import Placement, Samples


def minimize(
    place: Placement,
    samples: Samples,
    params: Array,
    *,
    max_iter: int,
    max_fun: int,
    tol: float,
    verbose: bool,
) -> Any:
    """Minimise the objective over all samples.

    Parameters
    ----------
    place : Placement
    samples : Samples
    params : array of shape (n_params,)
        Where to begin.
    max_iter, max_fun : int
        Most iterations, most evaluations of the objective.
    tol : float
        Converged where no component of the gradient is larger.
    verbose : bool
        Whether each iteration prints a line.

    Returns
    -------
    scipy.optimize.OptimizeResult
    """

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        here = place.floats(flat)
        loss, gradient = differentiate(place, here, samples, 0)
        value = loss + penalty_value(place, here, samples, samples.total())
        return float(value), gradient.astype(np.float64)

    n_done = 0

    def tell(intermediate_result: Any) -> None:
        nonlocal n_done
        n_done += 1
        print(f"Iteration {n_done}, loss = {intermediate_result.fun:.8f}")

    found = scipy.optimize.minimize(
        objective,
        place.backend.to_host(params).astype(np.float64),
        method="L-BFGS-B",
        jac=True,
        callback=tell if verbose else None,
        options={"maxiter": max_iter, "maxfun": max_fun, "gtol": tol},
    )
    if found.status != 0:
        warnings.warn(
            f"lbfgs failed to converge after {found.nit} iteration(s): {found.message}. Increase "
            "max_iter or max_fun, or scale the data.",
            ConvergenceWarning,
            stacklevel=5,
        )
    return found
