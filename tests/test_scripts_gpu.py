"""The scripts for machines with a GPU, tried without one."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

from xpnet import parity
from xpnet.bench.race import Entry, Result

SCRIPTS = Path(__file__).parents[1] / "scripts"


def load(name):
    """Import a script as a module."""
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def check():
    yield load("gpu_check")
    del sys.modules["gpu_check"]


@pytest.fixture
def bench(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    yield load("benchmark")
    for name in ("benchmark", "rivals"):
        del sys.modules[name]


@pytest.fixture(autouse=True)
def no_mnist(monkeypatch):
    monkeypatch.delenv("XPNET_DATA_HOME", raising=False)


def run(script, *arguments):
    """Run one of the scripts as a person does, with this Python."""
    here = Path(sys.executable).parent
    path = os.pathsep.join([str(here), os.environ["PATH"]])
    return subprocess.run(
        [SCRIPTS / script, *map(str, arguments)],
        env={**os.environ, "VIRTUAL_ENV": str(here.parent), "PATH": path},
        capture_output=True,
        text=True,
    )


# gpu_check


def test_a_dry_run_on_numpy(tmp_path):
    done = run("gpu_check", "--backend", "numpy", "--quick", "--out", tmp_path)
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert done.returncode == 0, report
    assert report.startswith(
        "# GPU check: passed; not run: parity_graphs, tests, mnist_two_layer, benchmark_graphs\n"
    )
    for name in ("info", "parity", "benchmark", "breast_cancer_minibatch", "compare_optimizers"):
        assert re.search(rf"^\| {name} \| passed \| [0-9.]+ \| ", report, re.MULTILINE), name
        assert f"\n### {name}\n" in report
    for name in ("graphs", "memory", "overlap", "crossover"):
        assert re.search(rf"^\| {name} \| passed \| [0-9.]+ \| ", report, re.MULTILINE), name
    assert (tmp_path / "crossover_numpy.png").stat().st_size > 5000
    assert "| parity_graphs | not run | | CUDA graphs are CuPy's |" in report
    assert "| tests | not run | | left out by --quick |" in report
    assert "| mnist_two_layer | not run | | MNIST was not found: pass --data-home |" in report
    assert f"| Python | {sys.version.split()[0]} on " in report
    assert f"numpy {np.__version__}" in report
    assert f"| backend | numpy on cpu ({np.__version__}) |" in report
    assert "## Failures" not in report
    table = (tmp_path / "parity.txt").read_text(encoding="utf-8")
    assert table in report
    assert all(f"{'numpy':<26}{dtype:<9}" in table for dtype in ("float64", "float32"))
    assert (tmp_path / "parity.json").stat().st_size > 1000
    assert "![The worst relative errors, by optimizer and net](parity.png)" in report
    assert str(tmp_path / "report.md") in done.stdout


def test_a_stage_that_fails_does_not_stop_the_others(check, tmp_path, monkeypatch):
    code = "for i in range(40): print('line', i)\nraise SystemExit('the end')"
    slow = "import time; print('begun'); time.sleep(60)"
    told = [
        check.Stage("fails", 1, ["-c", code]),
        check.Stage("missing", 1, [str(tmp_path / "nowhere.py")]),
        check.Stage("slow", 0.05, ["-c", slow]),
        check.Stage("impossible", 1, ["-c", "\0"]),
        check.Stage("left out", 1, ["-c", "1 / 0"], "for a reason"),
        check.Stage("good", 1, ["-c", "print('all is well')"]),
    ]
    monkeypatch.setattr(check, "stages", lambda options: told)
    arguments = ["--backend", "numpy", "--out", str(tmp_path), "--limit", "60"]
    assert check.main(arguments) == 1
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert report.startswith("# GPU check: FAILED: fails, missing, slow, impossible\n")
    assert "exit code 1: the end" in report
    assert "\n".join(f"line {i}" for i in range(40)) in report
    assert "nowhere.py': [Errno 2]" in report
    assert "| stopped after 3 s: begun |" in report
    assert "could not be run: ValueError: embedded null byte" in report
    assert "| left out | not run | | for a reason |" in report
    assert re.search(r"\| good \| passed \| [0-9.]+ \| all is well \|", report)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise ImportError", "Install an NVIDIA driver and a CuPy that matches it"),
        ("import os; os._exit(9)", "looking for cupy ended with exit code 9"),
    ],
)
def test_cupy_that_is_not_usable_is_not_passed(check, tmp_path, monkeypatch, capsys, code, reason):
    (tmp_path / "cupy.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert check.main(["--out", str(tmp_path / "out")]) == 2
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert report.startswith("# GPU check: not run\n")
    assert reason in report
    assert "pip install 'cupy-cuda13x[ctk]'" in report
    assert "| parity | not run | | cupy is not usable |" in report
    assert "passed" not in report
    told = capsys.readouterr()
    assert "NOT RUN: " in told.err
    assert reason in told.err
    assert "passed" not in told.out


def test_no_time_left_is_a_failure(check):
    options = check.parse(["--limit", "7"])
    result = check.run_stage(check.Stage("late", 1, ["-c", ""]), 0.0, options)
    assert result[:2] == ("late", check.FAILED)
    assert "no time was left of 7 s" in result.note


def parity_part(check, folder, *arguments):
    return check.main(["--part", "parity", "--backend", "numpy", "--out", str(folder), *arguments])


def test_parity_takes_the_whole_covering_set(check, tmp_path, monkeypatch, capsys):
    def compare(case, target):
        return parity.Comparison(case, target, {"loss curve": 0.0}, 1e-5)

    monkeypatch.setattr(parity.report, "compare", compare)
    assert parity_part(check, tmp_path) == 0
    n = len(parity.covering())
    assert f"{n} of {n} cases run, 0 failed" in capsys.readouterr().out


def test_a_parity_case_that_raises_does_not_hide_the_others(check, tmp_path, monkeypatch, capsys):
    right = parity.compare

    def compare(case, target):
        if case == parity.covering()[1]:
            raise RuntimeError("the kernel did not compile")
        return right(case, target)

    monkeypatch.setattr(parity.report, "compare", compare)
    assert parity_part(check, tmp_path, "--quick") == 1
    table = (tmp_path / "parity.txt").read_text(encoding="utf-8")
    case = parity.covering()[1]
    assert f"FAILED numpy: {case}: RuntimeError: the kernel did not compile" in table
    told = capsys.readouterr().out
    assert "4 of 4 cases run, 1 failed" in told
    assert "Traceback" in told


def test_a_parity_case_out_of_tolerance_fails(check, tmp_path, monkeypatch):
    def compare(case, target):
        return parity.Comparison(case, target, {"loss curve": 1.0}, 1e-5)

    monkeypatch.setattr(parity.report, "compare", compare)
    assert parity_part(check, tmp_path, "--quick") == 1
    assert "FAILED numpy" in (tmp_path / "parity.txt").read_text(encoding="utf-8")


def test_parity_that_runs_out_of_time_fails(check, tmp_path, monkeypatch):
    monkeypatch.setattr(parity, "covering", lambda: parity.cases.covering()[:2])
    assert parity_part(check, tmp_path, "--limit", "1e-9") == 1
    told = (tmp_path / "parity.txt").read_text(encoding="utf-8")
    assert "NOT RUN numpy: the last 2 cases: out of time" in told


def test_the_stages_of_a_full_run(check, tmp_path, monkeypatch):
    arguments = ["--device", "cuda:1", "--out", str(tmp_path), "--data-home", "mnist"]
    options = check.parse(arguments)
    stages = {stage.name: stage for stage in check.stages(options)}
    for name in ("breast_cancer_minibatch", "compare_optimizers", "mnist_two_layer"):
        words = stages[name].arguments
        assert words[0].endswith(f"{name}.py")
        assert words[1:] == ["--backend", "cupy", "--device", "cuda:1", "--out", str(tmp_path)]
        assert not stages[name].left_out
    place, quick = stages["benchmark"].arguments[1:3], check.parse(["--quick"])
    assert place == ["--backends", "cupy:cuda:1"]
    words = stages["benchmark"].arguments
    assert words[words.index("--rivals") + 1] == "gpu"
    assert "--quick" in next(s for s in check.stages(quick) if s.name == "benchmark").arguments
    assert stages["tests"].arguments[-2:] == ["-k", "cupy or numpy"]
    assert not stages["tests"].left_out
    assert check.environment(options)["XPNET_DATA_HOME"] == str(Path("mnist").resolve())
    assert not stages["parity_graphs"].left_out
    assert stages["parity_graphs"].settings == check.GRAPHS
    few = check.parse(["--stages", "graphs", "info"])
    assert [stage.name for stage in check.stages(few)] == ["info", "graphs"]
    with pytest.raises(SystemExit, match="--stages grafs: there are info, parity"):
        check.stages(check.parse(["--stages", "info", "grafs"]))
    monkeypatch.setattr(check.importlib.util, "find_spec", lambda name: None)
    assert check.why_no_tests(options).startswith("pytest and hypothesis missing: pip install")


def test_reports_of_unfinished_checks_say_so(check):
    results = [check.Result("a", check.PASSED), check.Result("b", check.PENDING)]
    assert check.verdict({}, results) == "GPU check: unfinished: b"
    assert check.verdict({}, results[:1]) == "GPU check: passed"


def test_a_stage_has_settings_of_its_own(check, tmp_path):
    options = check.parse(["--out", str(tmp_path)])
    warn = "import warnings; warnings.warn('no graph', {})".format
    for kind, outcome in (("RuntimeWarning", check.FAILED), ("UserWarning", check.PASSED)):
        stage = check.Stage("a", 1, ["-c", warn(kind)], settings=check.GRAPHS)
        assert check.run_stage(stage, 60, options).outcome == outcome


def test_logs_keep_the_last_state_of_a_progress_bar(check, tmp_path):
    options = check.parse(["--out", str(tmp_path)])
    code = "import sys; sys.stdout.write('\\r 1%\\r\\x1b[31m99%\\x1b[0m\\nend\\r\\n')"
    assert check.run_python(["-c", code], 60, "bar", options) == (0, "99%\nend\n")


def test_what_is_told_of_the_gpu(check, monkeypatch):
    class Device:
        def __init__(self, index):
            self.compute_capability = f"9{index}"

    runtime = types.SimpleNamespace(
        getDeviceProperties=lambda index: {"name": b"A GPU"},
        driverGetVersion=lambda: 13010,
        runtimeGetVersion=lambda: 12080,
    )
    cupy = types.ModuleType("cupy")
    cupy.cuda = types.SimpleNamespace(runtime=runtime, Device=Device)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setitem(sys.modules, "cupyx", types.ModuleType("cupyx"))
    facts = check.cuda(0)
    assert facts.pop("CuPy's configuration").startswith("unknown (AttributeError: ")
    assert facts == {
        "GPU in CuPy": "A GPU",
        "compute capability": "90",
        "CUDA of the driver": "13.1",
        "CUDA runtime": "12.8",
    }
    monkeypatch.setattr(check, "output_of", lambda *command: "A GPU, 8 GiB, 570.1\nB, 9 GiB, 570.1")
    assert check.nvidia_smi() == "A GPU, 8 GiB, 570.1; B, 9 GiB, 570.1"


def test_help_tells_what_to_type(check, capsys):
    with pytest.raises(SystemExit, match="0"):
        check.main(["--help"])
    told = capsys.readouterr().out
    for command in (
        "python3 -m venv .venv",
        "pip install 'cupy-cuda13x[ctk]'",
        "'cupy-cuda12x[ctk]'",
        "pip install -e '.[plots,test,graphs]'",
        "pip install --no-index --no-deps --target site",
        "!python scripts/gpu_check.py",
    ):
        assert command in told


@pytest.mark.parametrize("arguments", [["--backend", "auto"], ["--limit", "0"], ["--limit", "nan"]])
def test_options_that_check_nothing(check, arguments):
    with pytest.raises(SystemExit, match="2"):
        check.main(arguments)


# benchmark


def test_benchmark_prints_tables_and_writes_the_page(tmp_path):
    short = ["--quick", "--rounds", "2", "--workloads", "breast-cancer", "--threads", "1"]
    done = run("benchmark", *short, "--backends", "numpy", "--rivals", "--write", tmp_path)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    table = done.stdout[: done.stdout.index("\n\npage: ")]
    assert table in page
    assert "breast-cancer: 30-10-1, sigmoid, SGD 0.1, batch 32 (breast cancer, 159 rows)" in table
    for name in ("floor", "xpnet numpy", "xpnet MLPClassifier", "scikit-learn", "tutorial float64"):
        assert re.search(rf"^\| {name} +\| +\d+\.\d\d \|", table, re.M), name
    assert re.search(
        r"^\| xpnet numpy / floor <= 2\.2 +\| +\d+\.\d\d \| +(reached|missed) \|$", page, re.M
    )
    assert re.search(r"^\| torch eager / xpnet numpy >= 18 +\| +\| not measured \|$", page, re.M)
    assert f"numpy {np.__version__}" in page
    assert "training added" in page
    assert (tmp_path / "images" / "benchmarks.png").stat().st_size > 10000
    assert done.stdout.splitlines()[-1].startswith("breast-cancer (1): xpnet numpy ")
    assert "round 2 of 2" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--backend", "nunpy"], "'nunpy'"),
        (["--data-home", "nowhere", "--workloads", "wide"], "nowhere"),
        (["--workloads", "narrow"], "--workloads='narrow'"),
        (["--rounds", "0"], "--rounds=0"),
        (["--threads", "1", "0"], "--threads=0"),
    ],
)
def test_benchmark_tells_what_is_wrong_with_the_options(bench, capsys, arguments, told):
    assert bench.main(arguments) == 2
    assert told in capsys.readouterr().err


def test_who_takes_part(bench, monkeypatch):
    seen = []

    def race(workload, contestants, **options):
        seen.append((workload.name, options["threads"], [c.label for c in contestants]))
        raise ValueError("that will do")

    monkeypatch.setattr(bench, "race", race)
    for arguments in ([], ["--rivals"], ["--rivals", "gpu", "--backend", "numpy:cpu"]):
        assert bench.main(arguments) == 2
    everyone, alone, gpu = (labels for _, _, labels in seen)
    assert seen[0][:2] == ("breast-cancer", 1)
    assert {"torch compiled, 2 threads", "JAX scan", "xpnet jax", "xpnet cupy"} <= set(everyone)
    assert set(alone) < set(everyone)
    assert {"torch CUDA graph", "JAX scan on GPU", "xpnet numpy:cpu"} <= set(gpu)
    assert "JAX scan" not in gpu


def test_wrong_results_fail_the_benchmark(bench, monkeypatch, capsys):
    def race(workload, contestants, **options):
        entries = {c.label: Entry(c, failure="broken") for c in contestants}
        return Result(workload, "data", options["threads"], 1, 1.0, entries)

    monkeypatch.setattr(bench, "race", race)
    assert bench.main(["--workloads", "deep", "--threads", "1", "--rivals"]) == 1
    out = capsys.readouterr().out
    assert "- xpnet numpy: not run: broken" in out
    assert out.endswith("deep (1): xpnet did not finish\n")
