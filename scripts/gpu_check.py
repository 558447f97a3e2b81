"""Check xpnet on a GPU machine in one go, and write a Markdown report.

What runs: `xpnet info`; the parity suite, every case against NumPy in float64, on CuPy also from
CUDA graphs; what gpu_figures.py measures; the tests that touch a backend; the tutorials' scripts; a
benchmark, beside PyTorch and JAX on the same GPU where they are installed. A stage that fails or
takes too long does not stop the others. The report is written anew after each stage.

exit code: 0 passed; 1 a stage failed; 2 not run: the backend cannot be used here
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

SCRIPTS = Path(__file__).resolve().parent
ROOT = SCRIPTS.parent
HOW_TO = """\
on a bare machine with an NVIDIA driver and Python 3.11 or newer, in the checkout:
  python3 -m venv .venv
  . .venv/bin/activate
  pip install 'cupy-cuda13x[ctk]'       # a driver for CUDA 12: 'cupy-cuda12x[ctk]'
  pip install -e '.[plots,test,graphs]'
  pip install torch 'jax[cuda13]'       # or 'jax[cuda12]': the benchmark's rivals, where wanted
  scripts/gpu_check                     # about 20 minutes; --stages parity graphs: a part of it

on a machine without a network that has CuPy and scikit-learn, with the rest brought along
(downloaded with its version of Python, or with pip's --python-version and --platform):
  pip download --no-deps -d wheels array-api-compat lazy-loader safetensors tqdm packaging \\
    nvmath-python cuda-bindings cuda-core cuda-pathfinder pytest pluggy iniconfig hypothesis \\
    sortedcontainers
  python3 -m pip install --no-index --no-deps --target site wheels/*.whl
  PYTHONPATH=site scripts/gpu_check     # xpnet itself is found in the checkout

on Google Colab, with a GPU runtime (CuPy is installed there), in the checkout:
  !pip install -e '.[plots,test,graphs]'
  !python scripts/gpu_check.py

MNIST joins in where --data-home or XPNET_DATA_HOME names the folder of its four files.
"""
PACKAGES = (
    *("xpnet", "numpy", "array-api-compat", "scikit-learn", "safetensors", "matplotlib", "pytest"),
    *("cupy", "cupy-cuda12x", "cupy-cuda13x", "nvmath-python", "jax", "torch"),
)
GRAPHS = (("XPNET_CUDA_GRAPHS", "1"), ("PYTHONWARNINGS", "error::RuntimeWarning"))
"""Graphs on, and the warning that a run goes on without them is an error, or it would pass."""

ALONE = (GRAPHS[0], ("PYTHONWARNINGS", "error:backend='cupy'"))  # its rivals may warn
PASSED, FAILED, NOT_RUN, PENDING = "passed", "FAILED", "not run", "not run yet"


class Stage(NamedTuple):
    """A run of Python, and the share of the time limit that it may take."""

    name: str
    share: float
    arguments: list[str]
    left_out: str = ""  # why it is not run, where it is not
    told: int = -1  # the line of its output that tells most
    settings: tuple[tuple[str, str], ...] = ()  # of its environment


class Result(NamedTuple):
    """What became of a stage."""

    stage: str
    outcome: str
    seconds: float = 0.0
    note: str = ""
    log: str = ""


def stages(options: argparse.Namespace) -> list[Stage]:
    """Return what is run, in this order."""
    place = ["--backend", options.backend]
    place += ["--device", options.device] if options.device else []
    quick = ["--quick"] if options.quick else []
    here = [*place, *quick, "--out", str(options.out)]

    def script(name: str) -> str:
        return str(SCRIPTS / f"{name}.py")

    at = f"{options.backend}:{options.device}" if options.device else options.backend
    nets = ["mnist"] if options.quick else ["mnist", "wide"]
    race = ["--backends", at, "--workloads", *nets, "--threads", "1"]
    race += ["--rivals", *(["gpu"] if options.backend == "cupy" else [])]
    race += ["--quick", "--rounds", "2"] if options.quick else []
    rooms = ("parity", "backends", "nets", "estimators", "callbacks", "stacking", "streams")
    folders = [f"tests/{room}" for room in rooms]
    tests = ["-m", "pytest", "-q", *folders, "-k", f"{options.backend} or numpy"]
    no_mnist = "" if options.data_home else "MNIST was not found: pass --data-home"
    no_graphs = "" if options.backend == "cupy" else "CUDA graphs are CuPy's"
    again = ["-m", "xpnet", "parity", "--backends", at, "--quiet"]
    again += ["--dtype", "float32"] if options.quick else []
    found = [
        Stage("info", 0.2, ["-m", "xpnet", "info"], told=0),
        Stage("parity", 0.3, [script("gpu_check"), "--part", "parity", *here]),
        Stage("parity_graphs", 0.3, again, no_graphs, settings=GRAPHS),
        *(
            Stage(name, 0.2, [script("gpu_figures"), *here, name])
            for name in ("graphs", "memory", "overlap", "crossover")
        ),
        Stage("tests", 0.5, tests, why_no_tests(options)),
        Stage("breast_cancer_minibatch", 0.25, [script("breast_cancer_minibatch"), *here]),
        Stage("tune_breast_cancer", 0.25, [script("tune_breast_cancer"), *here]),
        Stage("stacks", 0.25, [script("compare_searches"), *place, *quick, "--sizes", "1", "256"]),
        Stage("compare_optimizers", 0.25, [script("compare_optimizers"), *here]),
        Stage("mnist_two_layer", 0.25, [script("mnist_two_layer"), *here], no_mnist),
        Stage("benchmark", 0.3, [script("benchmark"), *race]),
        Stage("benchmark_graphs", 0.3, [script("benchmark"), *race], no_graphs, settings=ALONE),
    ]
    known = [stage.name for stage in found]
    unknown = [name for name in options.stages or () if name not in known]
    if unknown:
        raise SystemExit(f"--stages {' '.join(unknown)}: there are {', '.join(known)}")
    return [stage for stage in found if stage.name in (options.stages or known)]


def why_no_tests(options: argparse.Namespace) -> str:
    """Return why the tests cannot be run, or nothing."""
    if options.quick:
        return "left out by --quick"
    needed = [name for name in ("pytest", "hypothesis") if importlib.util.find_spec(name) is None]
    return f"{' and '.join(needed)} missing: pip install -e '.[test]'" if needed else ""


def main(argv: list[str] | None = None) -> int:
    """Run the check, or the part of it that is asked for; return the exit code."""
    options = parse(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    return PARTS[options.part](options) if options.part else check(options)


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        prog="gpu_check",
        description=__doc__,
        epilog=HOW_TO,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--backend", default="cupy", help="to be checked (default: cupy)")
    parser.add_argument("--device", help="of the backend, such as cuda:1")
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "out" / "gpu_check",
        metavar="DIR",
        help="for report.md, figures and pictures (default: out/gpu_check in the checkout)",
    )
    parser.add_argument(
        "--limit", type=float, default=1200.0, metavar="S", help="seconds in all (default: 1200)"
    )
    parser.add_argument("--stages", nargs="+", metavar="NAME", help="only these, by their names")
    parser.add_argument("--quick", action="store_true", help="a little of each stage, no tests")
    parser.add_argument(
        "--data-home",
        default=os.environ.get("XPNET_DATA_HOME"),
        metavar="DIR",
        help="the folder of MNIST's files (default: XPNET_DATA_HOME)",
    )
    parser.add_argument(
        "--part", choices=PARTS, help="run only this, in this process; the check uses it itself"
    )
    options = parser.parse_args(argv)
    if options.backend == "auto":
        parser.error("--backend auto could check NumPy alone; name the backend")
    if not options.limit > 0:
        parser.error(f"--limit {options.limit} must be positive")
    options.out = options.out.resolve()
    return options


# The check: this process imports neither xpnet nor a GPU library, so that nothing it runs can
# break it, and no memory of the GPU is held while a stage runs.


def check(options: argparse.Namespace) -> int:
    """Run all stages and write the report; return the exit code."""
    began = time.monotonic()
    for name in ("report.md", "machine.json", "parity.txt", "parity.json", "parity.png"):
        (options.out / name).unlink(missing_ok=True)
    todo = stages(options)
    machine = look_at_machine(options)
    if machine.get("reason"):
        results = [Result(s.name, NOT_RUN, note=f"{options.backend} is not usable") for s in todo]
        return finish(options, machine, results)
    results = []
    for k, stage in enumerate(todo, 1):
        left = options.limit - (time.monotonic() - began)
        results.append(run_stage(stage, min(left, stage.share * options.limit), options))
        _, outcome, seconds, note, _ = results[-1]
        print(f"{stage.name:<26}{outcome:<9}{seconds:>7.1f} s  {note}", flush=True)
        write_report(options, machine, [*results, *(Result(s.name, PENDING) for s in todo[k:])])
    return finish(options, machine, results)


def finish(options: argparse.Namespace, machine: dict[str, Any], results: list[Result]) -> int:
    """Write the report, say how it ended, and return the exit code."""
    path = write_report(options, machine, results)
    if machine.get("reason"):
        print(f"gpu_check: NOT RUN: {machine['reason']}\n\n{HOW_TO}", file=sys.stderr)
    table = options.out / "parity.txt"
    if table.exists():
        print(f"\n{table.read_text(encoding='utf-8')}")
    print(f"{verdict(machine, results)}\nreport: {path}", flush=True)
    if machine.get("reason"):
        return 2
    return 0 if all(r.outcome in (PASSED, NOT_RUN) for r in results) else 1


def run_stage(stage: Stage, limit: float, options: argparse.Namespace) -> Result:
    """Run a stage; whatever happens is a result."""
    if stage.left_out:
        return Result(stage.name, NOT_RUN, note=stage.left_out)
    if limit <= 0:
        return Result(stage.name, FAILED, note=f"no time was left of {options.limit:g} s")
    began = time.monotonic()
    code: int | str | None
    try:
        arguments = stage.arguments
        if "--part" in arguments:
            arguments = [*arguments, "--limit", str(limit)]
        code, log = run_python(arguments, limit, stage.name, options, stage.settings)
    except Exception:
        code, log = "none, it could not be run", traceback.format_exc()
    seconds = time.monotonic() - began
    lines = [line for line in log.splitlines() if line.strip()] or [""]
    if code == 0:
        return Result(stage.name, PASSED, seconds, lines[stage.told], log)
    why = f"stopped after {limit:.0f} s" if code is None else f"exit code {code}"
    return Result(stage.name, FAILED, seconds, f"{why}: {lines[-1]}", log)


def run_python(
    arguments: list[str],
    limit: float,
    name: str,
    options: argparse.Namespace,
    settings: tuple[tuple[str, str], ...] = (),
) -> tuple[int | None, str]:
    """Run Python in the checkout; return its exit code, None where time ran out, and its output."""
    path = options.out / "logs" / f"{name}.log"
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment(options) | dict(settings),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            stop(process)
    return code, plain(path.read_bytes().decode("utf-8", errors="replace"))


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process that still runs, and what it started."""
    if process.poll() is not None:
        return
    if hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def environment(options: argparse.Namespace) -> dict[str, str]:
    """Return the stages' environment: this checkout's xpnet, no window, no memory kept by JAX."""
    path = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT))))
    # Small products are slower, and many times so on busy cores, with several BLAS threads.
    found = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **os.environ}
    found |= {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}
    found |= {"MPLBACKEND": "Agg", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    if options.data_home:
        found["XPNET_DATA_HOME"] = str(Path(options.data_home).expanduser().resolve())
    return found


def plain(text: str) -> str:
    """Return a log without colours, and of each progress bar only its last state."""
    text = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


def look_at_machine(options: argparse.Namespace) -> dict[str, Any]:
    """Return what is known of the machine; "reason" tells why the backend cannot be used."""
    arguments = [str(SCRIPTS / "gpu_check.py"), "--part", "machine", "--out", str(options.out)]
    arguments += ["--backend", options.backend]
    arguments += ["--device", options.device] if options.device else []
    code, log = run_python(arguments, min(180.0, options.limit), "machine", options)
    try:
        facts = json.loads((options.out / "machine.json").read_text(encoding="utf-8"))
    except OSError:
        facts = {}
    if code != 0 and not facts.get("reason"):
        ended = "did not end in time" if code is None else f"ended with exit code {code}"
        facts["reason"] = f"looking for {options.backend} {ended}:\n{log.strip()}"
    return facts


# The parts: each runs in a process of its own.


def machine_part(options: argparse.Namespace) -> int:
    """Write what matters of this machine to machine.json."""
    facts: dict[str, Any] = {
        "Python": f"{platform.python_version()} on {platform.platform()}",
        "packages": ", ".join(f"{p} {v}" for p in PACKAGES if (v := version_of(p))),
        "commit": commit(),
        "GPU, memory, driver": nvidia_smi(),
    }
    try:
        from xpnet import backends

        backend = backends.get(options.backend, options.device)
        facts["backend"] = f"{backend} ({backend.version()})"
        if options.backend == "cupy":
            facts |= cuda(backend.device.id)
    except (ImportError, RuntimeError, ValueError) as error:
        facts["reason"] = str(error)
    with (options.out / "machine.json").open("w", encoding="utf-8") as file:
        json.dump(facts, file, indent=1)
    return 0


def version_of(package: str) -> str | None:
    """Return the installed version."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def output_of(*command: str) -> str | None:
    """Return what a command prints, None where it is missing or fails."""
    if shutil.which(command[0]) is None:
        return None
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def commit() -> str:
    """Return the checkout's commit."""
    head = output_of("git", "rev-parse", "HEAD")
    if not head:
        return "unknown (no git here)"
    return f"{head}, with changes" if output_of("git", "status", "--porcelain") else head


def nvidia_smi() -> str:
    """Return name, memory and driver version of each GPU."""
    query = "--query-gpu=name,memory.total,driver_version"
    lines = output_of("nvidia-smi", query, "--format=csv,noheader")
    return "; ".join(lines.splitlines()) if lines else "nvidia-smi tells of none"


def cuda(device: int) -> dict[str, str]:
    """Return what CuPy tells of the GPU and of CUDA."""
    import cupy
    import cupyx

    runtime = cupy.cuda.runtime
    facts = {}
    for name, tell in {
        "GPU in CuPy": lambda: runtime.getDeviceProperties(device)["name"].decode(),
        "compute capability": lambda: cupy.cuda.Device(device).compute_capability,
        "CUDA of the driver": lambda: cuda_version(runtime.driverGetVersion()),
        "CUDA runtime": lambda: cuda_version(runtime.runtimeGetVersion()),
        "CuPy's configuration": lambda: str(cupyx.get_runtime_info()),
    }.items():
        try:
            facts[name] = tell()
        except Exception as error:  # a fact less is no failure
            facts[name] = f"unknown ({type(error).__name__}: {error})"
    return facts


def cuda_version(number: int) -> str:
    """Return '12.8' for 12080."""
    return f"{number // 1000}.{number % 1000 // 10}"


def parity_part(options: argparse.Namespace) -> int:
    """Compare every case with NumPy; a case that raises is a failure, and the next one runs."""
    from xpnet import parity

    target = parity.Target(options.backend, options.device)
    cases = parity.covering()[:4] if options.quick else parity.covering()
    report, errors = parity.Report(), []
    deadline = time.monotonic() + 0.9 * options.limit
    for k, case in enumerate(cases, 1):
        began = time.monotonic()
        if began > deadline:
            errors.append(f"NOT RUN {target}: the last {len(cases) - k + 1} cases: out of time")
            break
        found = parity.attempt(case, target)
        report.comparisons.append(found)
        told = found.failure or f"largest error {found.worst:.1e}"
        print(f"{k}/{len(cases)} {case}: {time.monotonic() - began:.2f} s, {told}", flush=True)
    table = "\n".join([report.table(), *errors])
    (options.out / "parity.txt").write_text(table + "\n", encoding="utf-8")
    report.to_json(options.out / "parity.json")
    if report.comparisons and importlib.util.find_spec("matplotlib"):
        report.plot(options.out / "parity.png")
    print(table)
    passed = report.passed and not errors
    compared, failed = len(report.comparisons), len(report.failures)
    print(f"{compared} of {len(cases)} cases run, {failed} failed")
    return 0 if passed else 1


PARTS = {"machine": machine_part, "parity": parity_part}


# The report.


def verdict(machine: dict[str, Any], results: list[Result]) -> str:
    """Return in one line how it ended: what was not run is never called passed."""
    named = {
        outcome: ", ".join(r.stage for r in results if r.outcome == outcome)
        for outcome in (FAILED, NOT_RUN, PENDING)
    }
    if machine.get("reason"):
        return "GPU check: not run"
    if named[FAILED]:
        return f"GPU check: FAILED: {named[FAILED]}"
    if named[PENDING]:
        return f"GPU check: unfinished: {named[PENDING]}"
    return "GPU check: passed" + (f"; not run: {named[NOT_RUN]}" if named[NOT_RUN] else "")


def write_report(
    options: argparse.Namespace, machine: dict[str, Any], results: list[Result]
) -> Path:
    """Write report.md and return its path."""
    parts = [f"# {verdict(machine, results)}", machine_table(options, machine)]
    if machine.get("reason"):
        parts += ["## Why it was not run", fenced(machine["reason"]), fenced(HOW_TO)]
    parts += ["## Stages", stage_table(results), *parity_section(options.out)]
    failures = [r for r in results if r.outcome == FAILED]
    parts += ["## Failures"] if failures else []
    for r in failures:
        parts += [f"### {r.stage}: {cell(r.note)}", fenced(r.log)]
    parts += ["## Ends of the logs"] if any(r.log for r in results) else []
    for r in results:
        if r.log and r.outcome != FAILED:
            parts += [f"### {r.stage}", fenced(r.log, last=25)]
    if "CuPy's configuration" in machine:
        parts += ["## CuPy's configuration", fenced(machine["CuPy's configuration"])]
    path = options.out / "report.md"
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return path


def machine_table(options: argparse.Namespace, machine: dict[str, Any]) -> str:
    """Return when, where and with what it was run."""
    rows = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": f"`{shlex.join(['scripts/gpu_check', *sys.argv[1:]])}`",
        "asked for": options.backend + (f" on {options.device}" if options.device else ""),
        **machine,
    }
    told = {k: v for k, v in rows.items() if k not in ("reason", "CuPy's configuration")}
    lines = [f"| {name} | {cell(text)} |" for name, text in told.items()]
    return "\n".join(["| | |", "| --- | --- |", *lines])


def stage_table(results: list[Result]) -> str:
    """Return the stages' outcomes."""
    lines = ["| stage | result | seconds | |", "| --- | --- | ---: | --- |"]
    lines += [
        f"| {r.stage} | {r.outcome} | {r.seconds:.1f} | {cell(r.note)} |"
        if r.seconds
        else f"| {r.stage} | {r.outcome} | | {cell(r.note)} |"
        for r in results
    ]
    return "\n".join(lines)


def parity_section(folder: Path) -> list[str]:
    """Return the comparison's table and picture, where there are any."""
    table = folder / "parity.txt"
    if not table.exists():
        return []
    parts = ["## Parity with NumPy in float64", fenced(table.read_text(encoding="utf-8"))]
    if (folder / "parity.png").exists():
        parts.append("![The worst relative errors, by optimizer and net](parity.png)")
    return parts


def cell(text: str) -> str:
    """Return text that fits into a table's cell."""
    return " ".join(str(text).split()).replace("|", "\\|")[:300]


def fenced(text: str, last: int | None = None) -> str:
    """Return text as it is, or its last lines."""
    lines = text.strip().splitlines()
    if last is not None and len(lines) > last:
        lines = ["…", *lines[-last:]]
    return "\n".join(["````text", *lines, "````"])


if __name__ == "__main__":
    sys.exit(main())
