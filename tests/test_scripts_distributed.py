"""scripts/distributed_demo: its quick form, what it writes, and that a check can fail."""

from __future__ import annotations

import importlib
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"

pytest.importorskip("mpi4py", reason="mpi4py is not installed: pip install 'xpnet[mpi]'")
if not (Path(sys.executable).with_name("mpiexec").exists() or shutil.which("mpiexec")):
    pytest.skip("there is no mpiexec: pip install 'xpnet[mpi]'", allow_module_level=True)


@pytest.fixture
def demo(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    yield importlib.import_module("distributed_demo")
    for name in ("distributed_demo", "distributed_runs", "common"):
        sys.modules.pop(name, None)


def test_the_quick_form(demo, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["distributed_demo", "--quick"])
    demo.main()
    told = capsys.readouterr().out
    assert len(re.findall(r" \| 2 \| (?:\de-\d+|0e\+00)? \| yes \|", told)) == 6
    assert len(re.findall(r"\| \d\.\d\d \(", told)) == len(demo.NETS)
    assert "| parameters every 16 |" in told


def test_ranks_that_differ_are_told(demo):
    one = np.ones(3, np.float32)
    near, far = one + np.float32(5e-7), one + np.float32(1e-5)
    assert demo.compare({1: [{"a, float32": one}], 2: [{"a, float32": near}] * 2})[1]
    assert not demo.compare({1: [{"a, float32": one}], 2: [{"a, float32": far}] * 2})[1]
    lines, fine = demo.compare({1: [{}], 2: [{"a, float32": near}, {"a, float32": one}]})
    assert (lines, fine) == ([["a · float32", "2", "", "NO"]], False)


def test_a_line_through_times(demo):
    latency, bandwidth = demo.fitted({n: 1e-5 + 4 * n / 2e9 for n in demo.distributed_runs.FLOATS})
    np.testing.assert_allclose([latency, bandwidth], [1e-5, 2e9])


def test_what_was_measured_is_written_into_the_gallery(demo, tmp_path):
    assert demo.GALLERY.exists()
    page = tmp_path / "page.py"
    page.write_text(f"a = 1\n{demo.FIRST}MEASURED = {{}}\n{demo.LAST}b = 2\n", encoding="utf-8")
    measured = {"nets": {"2-1": {"n_params": 3, "step": {"1": 1.5e-05, "2": 0.01}}}, "sums": {}}
    demo.write_gallery(page, measured)
    text, names = page.read_text(encoding="utf-8"), {}
    exec(text, names)
    assert (names["a"], names["b"], names["MEASURED"]) == (1, 2, measured)
    assert '"step": {"1": 1.5e-05, "2": 0.01},\n' in text


def test_the_pages_have_their_marks(demo):
    assert demo.PAGE.read_text("utf-8").count(demo.BEGIN) == 1
    assert demo.GALLERY.read_text("utf-8").count(demo.FIRST) == 1


def test_a_failure_is_the_exit_status(demo, monkeypatch):
    monkeypatch.setattr(demo, "measure", lambda quick: ({}, {}))
    monkeypatch.setattr(demo, "report", lambda measured, found: ("", False))
    monkeypatch.setattr(sys, "argv", ["distributed_demo"])
    with pytest.raises(SystemExit) as ended:
        importlib.import_module("common").run(demo.main)
    assert "not as near" in str(ended.value.code)
    with pytest.raises(RuntimeError, match=r"1 rank\(s\) ended with"):
        demo.launch(1, speed="no number")
