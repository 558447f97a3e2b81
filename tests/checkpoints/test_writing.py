"""Writing: a file is whole at every moment, and nothing stays beside it."""

from __future__ import annotations

import os
import platform
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from saved import NET, draw, same

from xpnet import checkpoints


def test_a_file_is_on_the_disk_before_it_takes_the_old_ones_place(tmp_path, monkeypatch):
    path = checkpoints.save(tmp_path / "net", NET, draw(NET))
    calls = []
    real_fsync, real_replace = os.fsync, os.replace

    def fsync(number):
        calls.append("folder" if stat.S_ISDIR(os.fstat(number).st_mode) else "file")
        real_fsync(number)

    def replace(source, target):
        assert Path(source).parent == Path(target).parent
        assert checkpoints.load(source).params[0] == 1.0  # whole
        calls.append("replace")
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    checkpoints.save(path, NET, np.ones(NET.n_params))
    assert calls == ["file", "replace", "folder"]
    assert [p.name for p in tmp_path.iterdir()] == ["net"]


@pytest.mark.parametrize("place", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_failure_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, place, error):
    path = checkpoints.save(tmp_path / "net", NET, draw(NET))

    def fail(*arguments):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, place, fail)
        with pytest.raises(type(error)):
            checkpoints.save(path, NET, np.ones(NET.n_params))
    assert [p.name for p in tmp_path.iterdir()] == ["net"]
    same(checkpoints.load(path), NET, draw(NET))


def test_a_file_has_the_permissions_of_other_files(tmp_path):
    (tmp_path / "other").touch()
    path = checkpoints.save(tmp_path / "net", NET, draw(NET))
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode


posix = pytest.mark.skipif(os.name != "posix", reason="processes are killed in POSIX's way")


def temporary(name, *, host=None, pid):
    return f".{name}.{host or platform.node()}.{pid}.{'0' * 32}.tmp"


@posix
def test_what_killed_savers_left_is_removed(tmp_path):
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = [temporary("net", pid=dead.pid), temporary("net", pid=2**70)]
    kept = [
        temporary("net", pid=os.getpid()),  # another thread's
        temporary("net", pid=1),  # another user's, as a rule
        temporary("net", host="elsewhere", pid=dead.pid),
        temporary("net2", pid=dead.pid),
        temporary("my.net", pid=dead.pid),
        ".net.0123.tmp",
        "net.tmp",
    ]
    for name in left + kept:
        (tmp_path / name).touch()
    checkpoints.save(tmp_path / "net", NET, draw(NET))
    assert {p.name for p in tmp_path.iterdir()} == {"net", *kept}


@posix
def test_a_file_that_is_written_counts_whatever_its_folder_says(tmp_path, monkeypatch):
    def fail(path):
        raise PermissionError(path)

    monkeypatch.setattr(Path, "iterdir", fail)
    checkpoints.save(tmp_path / "net", NET, draw(NET))
    same(checkpoints.load(tmp_path / "net"), NET, draw(NET))


KILLS = """
import os, random, signal, sys, time
from pathlib import Path
import numpy as np
from xpnet import Dense, Network, checkpoints

path, net = Path(sys.argv[1]), Network([Dense(2**19 - 1, 1)])
kept = {name: getattr(os, name) for name in ("fsync", "replace")}

def save(number):
    checkpoints.save(path, net, np.full(net.n_params, float(number)), metadata={"n": number})

def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

def die_after(*arguments):
    kept["replace"](*arguments)
    die()

def child(work):
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(1)
    return pid

def killed(pid):
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    saved = checkpoints.load(path)
    assert (saved.params == saved.metadata["n"]).all()
    return saved.metadata["n"]

save(0)
for name, last_words, number in ("fsync", die, 0), ("replace", die, 0), ("replace", die_after, 1):
    setattr(os, name, last_words)
    assert killed(child(lambda: save(1))) == number
    setattr(os, name, kept[name])
assert len(list(path.parent.iterdir())) == 3

def on_and_on(number):
    while True:
        number += 1
        save(number)

began = time.perf_counter()
save(1)
duration, reached, randomly = time.perf_counter() - began, 1, random.Random(0)
for _ in range(25):
    pid = child(lambda: on_and_on(reached))
    time.sleep(randomly.uniform(0.0, 3.0 * duration))
    os.kill(pid, signal.SIGKILL)
    number = killed(pid)
    assert number >= reached
    reached = number
assert reached > 1
save(-1)
assert list(path.parent.iterdir()) == [path]
"""


@posix
def test_a_file_is_whole_whenever_its_saver_is_killed(tmp_path):
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", KILLS, str(tmp_path / "net")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
