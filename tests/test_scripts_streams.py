"""scripts/stream_demo at a tiny size: each part, and that a check can fail."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"
OWN = ("common", "stream_data", "stream_child", "stream_runs", "stream_results", "stream_demo")
ROWS = 2000

pytestmark = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="/proc tells the memory of a process"
)


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPTS)
    yield importlib.import_module
    for name in OWN:
        sys.modules.pop(name, None)


@pytest.fixture
def size(script, tmp_path):
    """A file of half a megabyte."""
    script("stream_data").write(tmp_path, ROWS)
    return script("stream_runs").Size.of(tmp_path, ROWS * 256 / 1e9)


def test_the_file_is_what_numpy_would_have_written(script, tmp_path, monkeypatch):
    data = script("stream_data")
    monkeypatch.setattr(data, "_ROWS", 7)  # several parts, the last one smaller
    data.write(tmp_path, 30)
    x, y = data.mapped(tmp_path)
    rng = np.random.default_rng(1)
    parts = [data.TWO.draw(rng, n) for n in (7, 7, 7, 7, 2)]
    np.testing.assert_array_equal(x, np.concatenate([part[0] for part in parts]))
    np.testing.assert_array_equal(y, np.concatenate([part[1] for part in parts]))
    assert (x.dtype, y.dtype, len(data.mapped(tmp_path, 5)[0])) == (np.float32, np.uint8, 5)
    np.save(tmp_path / "again.npy", np.array(x))
    assert (tmp_path / "again.npy").read_bytes() == (tmp_path / "x.npy").read_bytes()


def test_a_file_is_dropped_from_the_cache(script, size):
    data = script("stream_data")
    path = size.folder / "x.npy"
    path.read_bytes()
    held = data.share_in_cache(path)
    assert held in (None, 1.0)
    data.drop_from_cache(size.folder)
    assert held is None or data.share_in_cache(path) <= 1.0  # not every file system forgets


def test_speed_and_memory(script, size, monkeypatch):
    runs = script("stream_runs")
    monkeypatch.setattr(runs, "RATE_FROM", 0.0)
    text, (check,), last = runs.speed(size, rounds=1)
    assert "| reading alone, in order | " in text
    assert text.count(" | 100% | ") == 1
    assert "batches of 1024" in text
    assert check.found.endswith("%")
    assert last["rows"] == ROWS
    text, checks = runs.memory(size, last)
    assert f"| {ROWS:,} | " in text
    assert f"| {ROWS // 8} | " in text
    assert [check.holds for check in checks[:1]] == [True]  # two steps teach nothing
    assert last["VmHWM"] < 500e6


def test_the_cap_is_held(script, tmp_path):
    checks = script("stream_runs").enforcement(tmp_path, 400_000_000)
    assert [check.holds for check in checks] == [True, True]
    assert "400 MB are allowed" in checks[1].found


def test_a_cap_that_is_not_held_is_told(script, size, monkeypatch):
    runs = script("stream_runs")
    with pytest.raises(RuntimeError, match=r"train: ended: .* resident"):
        runs.measure("train", size, cap=30_000_000)  # less than Python and NumPy need
    done = type("Done", (), {"stdout": '{"told": "no error"}', "stderr": "", "returncode": 0})
    monkeypatch.setattr(runs, "start", lambda *args, **options: done)
    assert [check.holds for check in runs.enforcement(size.folder, 1)] == [False, False]


def test_formats_agree(script, size):
    text, (check,) = script("stream_results").formats(size, ROWS)
    assert check.holds
    assert text.count("| yes |") == 4
    assert all(f"| {name} |" in text for name in ("npy", "h5py", "zarr", "Parquet"))


def test_sorted_rows(script, monkeypatch):
    results = script("stream_results")
    text, (check,) = results.sorted_rows(4000, seeds=1)
    assert text.count("| a buffer of ") == 3
    assert check.holds
    monkeypatch.setattr(results, "NEAR", -1.0)
    assert not results.sorted_rows(400, seeds=1)[1][0].holds


def test_a_killed_run_goes_on(script, tmp_path):
    script("stream_data").write(tmp_path, 8 * 6000)
    size = script("stream_runs").Size.of(tmp_path, 8 * 6000 * 256 / 1e9)
    text, (check,) = script("stream_runs").resumed(size)
    assert check == ("killed and resumed: the same parameters", "from step 3 of 6", True)
    assert "it went on from" in text


@pytest.mark.parametrize("holds", [True, False])
def test_the_tables_are_written_between_the_marks(script, tmp_path, monkeypatch, capsys, holds):
    demo, runs = script("stream_demo"), script("stream_runs")
    page = tmp_path / "page.md"
    page.write_text(f"before\n{demo.BEGIN}\nwhat was there\n{demo.END}\nafter\n", encoding="utf-8")
    check = runs.Check("what must hold", "found", holds)
    monkeypatch.setattr(demo, "PAGE", page)
    monkeypatch.setattr(demo, "speed", lambda size, rounds: (f"{rounds} rounds", [check], {}))
    for name in ("memory", "sorted_rows", "formats", "resumed"):
        monkeypatch.setattr(demo, name, lambda *args, name=name: (name, []))
    monkeypatch.setattr(demo, "enforcement", lambda *args: [])
    monkeypatch.setattr(demo, "REAL", 1e-4)
    arguments = ["--gigabytes=1e-4", f"--folder={tmp_path}", "--write"]
    monkeypatch.setattr(sys, "argv", ["stream_demo", *arguments])
    if holds:
        demo.main()
    else:
        with pytest.raises(RuntimeError, match="failed: what must hold"):
            demo.main()
    written = page.read_text(encoding="utf-8")
    assert "what was there" not in written
    assert "3 rounds\n\nmemory\n\nsorted_rows\n\nformats\n\nresumed\n" in written
    assert f"| what must hold | found | {'holds' if holds else 'FAILS'} |" in written
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]  # the data are gone
    assert "390 rows of 64 features" in capsys.readouterr().out


def test_only_the_real_size_is_written(script, monkeypatch, capsys):
    demo = script("stream_demo")
    monkeypatch.setattr(sys, "argv", ["stream_demo", "--write"])
    with pytest.raises(SystemExit):
        demo.main()
    assert "--gigabytes 8" in capsys.readouterr().err


@pytest.mark.parametrize("task", ["train", "in-memory", "read", "ask"])
def test_tasks_in_this_process(script, size, monkeypatch, capsys, task):
    """The cap is left out here: it would hold for all tests."""
    child = script("stream_child")
    monkeypatch.setattr(child, "hold", lambda most: None)
    arguments = [task, str(size.folder), "--cap=1000", f"--buffer={size.buffer}"]
    monkeypatch.setattr(sys, "argv", ["stream_child", *arguments])
    child.main()
    found = json.loads(capsys.readouterr().out)
    assert found["VmHWM"] > 1e6
    if task == "ask":
        assert found["told"] == "no error"
    else:
        assert found["seconds"] > 0.0
