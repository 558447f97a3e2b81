"""All cases on all backends: a table, a picture, a file."""

from __future__ import annotations

import json
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .. import backends, validation
from .._version import __version__
from .cases import FACTORS, Case, covering, product
from .compare import MEASURES, TOLERANCES, Comparison, Target, compare


@dataclass(frozen=True)
class Report:
    """The comparisons of a parity run.

    Attributes
    ----------
    comparisons : list of Comparison
    not_run : dict of str to str
        Targets, or a target's types, that could not be run, and why.

    Examples
    --------
    >>> from xpnet import parity
    >>> case = parity.covering()[0]
    >>> report = parity.Report([parity.compare(case, parity.Target("numpy"))])
    >>> report.passed, report.failures
    (True, [])
    """

    comparisons: list[Comparison] = field(default_factory=list)
    not_run: dict[str, str] = field(default_factory=dict)

    @property
    def failures(self) -> list[Comparison]:
        """The comparisons that failed."""
        return [c for c in self.comparisons if not c.passed]

    @property
    def passed(self) -> bool:
        """Whether something was compared and nothing failed."""
        return bool(self.comparisons) and not self.failures

    def _groups(self) -> dict[tuple[str, str], list[Comparison]]:
        groups: dict[tuple[str, str], list[Comparison]] = {}
        for c in self.comparisons:
            groups.setdefault((str(c.target), c.case.dtype), []).append(c)
        return groups

    def table(self) -> str:
        """Return the table: for each target and type the cases and the worst error."""
        head = f"{'backend':<26}{'dtype':<9}{'cases':>6}{'failed':>8}"
        lines = [head + "".join(f"{m:>18}" for m in MEASURES) + f"{'tolerance':>12}"]
        for (target, dtype), group in self._groups().items():
            failed = sum(not c.passed for c in group)
            worst = (np.max([c.judged.get(m, 0.0) for c in group]) for m in MEASURES)
            lines.append(
                f"{target:<26}{dtype:<9}{len(group):>6}{failed:>8}"
                + "".join(f"{error:>18.1e}" for error in worst)
                + f"{TOLERANCES[dtype]:>12.0e}"
            )
        lines += [f"{name:<26}not run: {reason}" for name, reason in self.not_run.items()]
        lines += [f"FAILED {c.target}: {c.case}: {_errors(c)}" for c in self.failures]
        verdict = f"{len(self.comparisons)} runs compared with NumPy in float64: "
        lines.append(verdict + (f"{len(self.failures)} FAILED" if self.failures else "all agree"))
        return "\n".join(lines)

    def to_json(self, path: Any) -> None:
        """Write everything to a JSON file."""
        content = {
            "xpnet": __version__,
            "passed": self.passed,
            "not_run": self.not_run,
            "versions": {str(name): str(status) for name, status in backends.available().items()},
            "comparisons": [
                c.case.as_dict()
                | {
                    "target": str(c.target),
                    "errors": {k: e if np.isfinite(e) else None for k, e in c.errors.items()},
                    "failure": c.failure,
                    "judged": list(c.judged),
                    "tolerance": c.tolerance,
                    "passed": c.passed,
                }
                for c in self.comparisons
            ],
        }
        with open(path, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=1, allow_nan=False)

    def plot(self, path: Any) -> Any:
        """Write a heat map for each type, and return its path.

        A row is a value of a factor, a column a target, and a cell the worst error among the
        cases with that value, as a power of ten.
        """
        from .. import plots

        path = plots.check_path(path)
        from matplotlib.figure import Figure

        dtypes = [d for d in FACTORS["dtype"] if any(c.case.dtype == d for c in self.comparisons)]
        if not dtypes:
            raise ValueError("Nothing was compared: there is nothing to draw.")
        columns = list(dict.fromkeys(str(c.target) for c in self.comparisons))
        size = (3.5 + 1.1 * len(columns) * len(dtypes), 0.32 * len(_ROWS) + 1.5)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(1, len(dtypes), squeeze=False)[0]
        for ax, dtype in zip(axes, dtypes, strict=True):
            group = [c for c in self.comparisons if c.case.dtype == dtype]
            plots.heat_map(
                [[_worst(group, row, column) for column in columns] for row in _ROWS],
                [f"{value}" for _, value in _ROWS],
                columns,
                ax=ax,
                title=f"{dtype}, tolerance {TOLERANCES[dtype]:.0e}",
                label="log10 of the worst relative error (-17: equal)",
                vmin=-17,
                vmax=-4,
            )
        return plots.save(figure, path)


_ROWS = [(name, value) for name in ("optimizer", "net", "loss") for value in FACTORS[name]]
"""The rows of the picture: factors and their values."""


def _errors(c: Comparison) -> str:
    if c.failure is not None:
        return c.failure.splitlines()[-1]
    return ", ".join(f"{name} {error:.1e}" for name, error in c.judged.items())


def _worst(group: Sequence[Comparison], row: tuple[str, Any], target: str) -> float:
    """Return the power of ten of the worst error in a cell; NaN if nothing was run."""
    name, value = row
    errors = [c.worst for c in group if str(c.target) == target and getattr(c.case, name) == value]
    return float(np.log10(max(*errors, 1e-17))) if errors else float("nan")


def targets(names: Sequence[str] | None) -> tuple[list[Target], dict[str, str]]:
    """Return the targets to run, and why others are not run.

    Parameters
    ----------
    names : sequence of str, or None
        'name' or 'name:device' each; all backends if None.

    Raises
    ------
    BackendUnavailableError
        A backend that was asked for by name cannot be used.
    """
    if names is not None:
        chosen = [Target.parse(name) for name in names]
        for target in chosen:
            backends.get(target.backend, target.device)
        return chosen, {}
    found = backends.available()
    not_run = {name: str(s.reason) for name, s in found.items() if not s.usable}
    return [Target(name) for name, status in found.items() if status.usable], not_run


def run(
    backends: Sequence[str] | None = None,
    *,
    dtypes: Sequence[str] | None = None,
    full: bool = False,
    compile: bool = True,
    progress: bool = False,
) -> Report:
    """Train every case on every backend and compare each with NumPy in float64.

    Parameters
    ----------
    backends : sequence of str, optional
        'name' or 'name:device' each; all usable backends if None.
    dtypes : sequence of {'float64', 'float32'}, optional
        Both if None.
    full : bool, default False
        The product of the factors instead of the covering set.
    compile : bool, default True
        If not, steps are run call by call on every backend, as the reference is.
    progress : bool, default False
        A progress bar.

    Returns
    -------
    Report

    Examples
    --------
    >>> from xpnet import parity
    >>> parity.run(["numpy"], dtypes=["float32"]).passed
    True
    """
    for name, value in (("backends", backends), ("dtypes", dtypes)):
        if isinstance(value, str):
            raise TypeError(f"{name}={value!r} must be a list, such as [{value!r}].")
        if value is not None and not isinstance(value, Sequence):
            raise TypeError(f"{name}={value!r} must be a list of names.")
    for name, flag in (("full", full), ("compile", compile), ("progress", progress)):
        validation.check_flag(name, flag)
    wanted = [validation.check_float_dtype("dtypes", d) for d in dtypes or FACTORS["dtype"]]
    chosen, not_run = targets(backends)
    chosen = [target._replace(compile=compile) for target in chosen]
    cases = list(product(dtype=wanted) if full else (c for c in covering() if c.dtype in wanted))
    able = {(t, dtype): t.supports(dtype) for t in chosen for dtype in wanted}
    for (target, dtype), supported in able.items():
        if not supported:
            not_run[f"{target} {dtype}"] = "the device has no such type"
    # All targets of a case in a row: they share its reference.
    jobs = [(c, target) for c in cases for target in chosen if able[target, c.dtype]]
    if progress:
        from tqdm import tqdm

        jobs = tqdm(jobs, unit="run", desc="parity", disable=None)
    return Report([attempt(case, target) for case, target in jobs], not_run)


def attempt(case: Case, target: Target) -> Comparison:
    """Return the comparison, or what kept it from being made: one run does not end the others."""
    try:
        return compare(case, target)
    except Exception:
        failure = traceback.format_exc().strip()
        return Comparison(case, target, {}, TOLERANCES[case.dtype], failure)
