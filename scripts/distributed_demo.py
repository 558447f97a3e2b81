"""One rank of MPI against two on this machine: the same results, how fast, what a sum costs.

`distributed_runs.py` is started by mpiexec, with one rank and with more, in turn. Each rank has
one BLAS thread, also where it is alone. Where ranks do not agree, the exit status is 1.

    scripts/distributed_demo            # prints the tables, in some minutes
    scripts/distributed_demo --write    # and puts them into docs/many-processes.md, and what was
                                        # measured into the gallery's page
    scripts/distributed_demo --quick    # a short run, to see that all works
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import platform
import shutil
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import common
import distributed_runs
import numpy as np
from distributed_runs import FLOATS, NETS, SAME, SHARE, network

import xpnet

DOCS = Path(__file__).parents[1] / "docs"
PAGE, GALLERY = DOCS / "many-processes.md", DOCS / "gallery" / "plot_7_many_processes.py"
BEGIN, END = "<!-- scripts/distributed_demo writes from here -->", "<!-- to here -->"
FIRST, LAST = "# scripts/distributed_demo --write writes from here\n", "# to here\n"


def mpiexec() -> str:
    """Return the path of mpiexec: that beside Python, or the machine's."""
    beside = Path(sys.executable).with_name("mpiexec")
    found = str(beside) if beside.exists() else shutil.which("mpiexec")
    if found is None:
        raise RuntimeError("there is no mpiexec; pip install 'xpnet[mpi]' brings one.")
    return found


def undisturbed(ranks: int, epochs: int, tries: int) -> dict[str, float]:
    """Return the seconds of a step of each net, of a run that nothing disturbed, if any."""
    runs = []
    for _ in range(tries):
        runs.append(launch(ranks, speed=epochs)["speed"])
        if runs[-1][SHARE] > 0.97 or ranks > (os.cpu_count() or 1):
            break
    return max(runs, key=lambda run: run[SHARE])


def launch(ranks: int, **jobs: int) -> dict[str, Any]:
    """Do the jobs on so many ranks; return what the first rank found."""
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        # Open MPI, as root and with more ranks than cores
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    }
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found"
        command = [mpiexec(), "-n", str(ranks), sys.executable, "-m", "mpi4py"]
        command += [distributed_runs.__file__, json.dumps(jobs), str(out)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode or not out.exists():
            raise RuntimeError(f"{ranks} rank(s) ended with {done.returncode}:\n{done.stderr}")
        return pickle.loads(out.read_bytes())


def compare(found: dict[int, list[dict[str, Any]]]) -> tuple[list[list[str]], bool]:
    """Return a line for each training, and whether all is as it shall be."""
    lines, fine = [], True
    for ranks in sorted(found)[1:]:
        for name, params in found[ranks][0].items():
            alike = all(params.tobytes() == own[name].tobytes() for own in found[ranks])
            one = found[1][0].get(name)
            apart = 0.0 if one is None else float(np.abs(params - one).max())
            fine &= alike and apart <= SAME[name.rpartition(", ")[2]]
            told = "" if one is None else f"{apart:.0e}"
            lines.append([name.replace(", ", " · "), str(ranks), told, "yes" if alike else "NO"])
    return lines, fine


def fitted(seconds: dict[int, float]) -> tuple[float, float]:
    """Return latency and bytes a second: the line through times of a sum, relative errors alike."""
    n_bytes, times = 4.0 * np.array(list(seconds)), np.array(list(seconds.values()))
    line = np.stack([1 / times, n_bytes / times], axis=1)
    (latency, inverse), *_ = np.linalg.lstsq(line, np.ones(len(times)), rcond=None)
    return max(float(latency), 0.0), 1 / float(inverse)


def measure(quick: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the measured numbers, and all else that the tables tell."""
    rounds, epochs = (1, 1) if quick else (7, 10)
    sizes = (1, 2) if quick else (1, 2, 3)
    times: dict[int, list[dict[str, float]]] = {n: [] for n in sizes}
    parts: list[dict[int, dict[str, float]]] = []
    for k in range(rounds):
        for ranks in sizes:  # in turn: what else the machine does hits all alike
            times[ranks].append(undisturbed(ranks, epochs, 1 if quick else 6))
        if not quick:
            parts.append(launch(1, parts=epochs)["parts"])
        print(f"round {k + 1} of {rounds}: done", flush=True)
    two = launch(2, results=1, reductions=20 if quick else 400, averaged=2 if quick else 40)
    found = {1: launch(1, results=1), 2: two}
    if not quick:
        found[3] = launch(3, results=1, reductions=400)
    same = {n: own["results"] for n, own in found.items()}
    sums = {n: own["reductions"] for n, own in found.items() if n > 1}
    measured: dict[str, Any] = {"nets": {}, "sums": {}}
    for name, (widths, batch, _) in NETS.items():
        steps = {str(n): round(float(np.median([t[name] for t in times[n]])), 8) for n in sizes}
        cut = {
            str(n): round(float(np.median([p[n][name] for p in parts])), 8) for n in (2, 3) if parts
        }
        n_params = network(widths).n_params
        measured["nets"][name] = {"n_params": n_params, "batch": batch, "step": steps, "part": cut}
    for ranks, seconds in sums.items():
        latency, bandwidth = fitted(seconds)
        fit = {"latency": round(latency, 8), "bandwidth": round(bandwidth)}
        measured["sums"][str(ranks)] = fit
    ratios = {
        name: [a[name] / b[name] for a, b in zip(times[1], times[2], strict=True)] for name in NETS
    }
    return measured, {"same": same, "sums": sums, "averaged": two["averaged"], "ratios": ratios}


def report(measured: dict[str, Any], found: dict[str, Any]) -> tuple[str, bool]:
    """Return the tables, and whether all ranks agree as they shall."""
    same, fine = compare(found["same"])
    speeds = []
    for name, net in measured["nets"].items():
        step, ratios = net["step"], found["ratios"][name]
        cells = [f"{1e3 * step[n]:.3g}" for n in step]
        least, most = min(ratios), max(ratios)
        ratio = f"{np.median(ratios):.2f} ({least:.2f} to {most:.2f})"
        speeds.append([name.replace(", ", " · "), f"{net['n_params']:,}", *cells, ratio])
    ranks = list(measured["nets"]["30-10-1, batch 32"]["step"])
    heads = [f"{n} rank{'s' * (n != '1')}" for n in ranks]
    sums = [
        [f"{n:,}", *(f"{1e6 * seconds[n]:,.0f}" for seconds in found["sums"].values())]
        for n in FLOATS
    ]
    lines = [
        f"{n} ranks: {1e6 * fit['latency']:.0f} µs and {fit['bandwidth'] / 1e9:.1f} GB/s."
        for n, fit in measured["sums"].items()
    ]
    told = ", ".join(f"{n} ranks" for n in found["sums"])
    versions = f"xpnet {xpnet.__version__}, NumPy {np.__version__} and "
    versions += f"Python {platform.python_version()}"
    text = f"""\
How far several ranks are from one, after five epochs of digits whose last batch is smaller; of the
stream, which one rank reads in another order, ranks are compared with each other alone.

{common.table("training, ranks, largest difference from one, ranks bitwise equal", same)}

Milliseconds a step with Adam, float32, one BLAS thread a rank, one rank and several run in turn: of
each run the fastest epoch, of these the median; and how many times as fast two ranks are as one,
with the range over the rounds. Runs whose ranks had less than a core each are run again.

{common.table(f"net, parameters, {', '.join(heads)}, one to two", speeds)}

Microseconds to sum float32 numbers over the ranks.

{common.table(f"numbers, {told}", sums)}

The straight line through them is {" ".join(lines)}

Local SGD on digits, two ranks, batches of 100: what is averaged, and where training ends.

{common.table("averaged, training loss, validation loss, accuracy", found["averaged"])}

Run on {date.today()} with {versions} on {os.cpu_count()} cores."""
    return text, fine


def python_literal(value: Any, depth: int = 0) -> str:
    """Return a dictionary as the formatter writes it, a key a line."""
    if not isinstance(value, dict) or not any(isinstance(v, dict) for v in value.values()):
        return repr(value).replace("'", '"')
    pad = "    " * (depth + 1)
    lines = [f'{pad}"{k}": {python_literal(v, depth + 1)},\n' for k, v in value.items()]
    return "{\n" + "".join(lines) + "    " * depth + "}"


def write_gallery(page: Path, measured: dict[str, Any]) -> None:
    """Put what was measured into the gallery's page, which so needs no file beside it."""
    before, rest = page.read_text(encoding="utf-8").split(FIRST)
    _, after = rest.split(LAST)
    text = f"MEASURED = {python_literal(measured)}\n"
    page.write_text(f"{before}{FIRST}{text}{LAST}{after}", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="two ranks, one round")
    parser.add_argument("--write", action="store_true", help=f"put the tables into {PAGE.name}")
    options = parser.parse_args()
    if options.write and options.quick:
        parser.error("--write needs the full run, without --quick")
    measured, found = measure(options.quick)
    text, fine = report(measured, found)
    print(f"\n{text}")
    if options.write:
        common.write_between(PAGE, BEGIN, END, text)
        write_gallery(GALLERY, measured)
    if not fine:
        raise RuntimeError("several ranks are not as near to one, or to each other, as they shall")


if __name__ == "__main__":
    common.run(main)
