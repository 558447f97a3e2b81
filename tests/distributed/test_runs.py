"""Real ranks, started by mpiexec: what they give is compared with what one process gives."""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import trainings

from xpnet import checkpoints

pytest.importorskip("mpi4py", reason="mpi4py is not installed: pip install 'xpnet[mpi]'")
_beside = Path(sys.executable).with_name("mpiexec")
MPIEXEC = str(_beside) if _beside.exists() else shutil.which("mpiexec")
if MPIEXEC is None:
    pytest.skip("there is no mpiexec: pip install 'xpnet[mpi]'", allow_module_level=True)

HERE = Path(__file__).parent
SCRIPT = str(HERE / "trainings.py")
SIZES = (2, 3)
EXACT = {"float32": 1e-6, "float64": 1e-12}
sizes = pytest.mark.parametrize("size", SIZES)


def environment():
    """One BLAS thread a rank; Open MPI also as root, and with more ranks than cores."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(("PMI_", "OMPI_", "PYTEST_"))}
    return own | {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "OMPI_ALLOW_RUN_AS_ROOT": "1",
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    }


def mpiexec(size, *command, told=True):
    """Run ``python …`` on so many ranks; whoever hangs is ended after a minute."""
    starts = [MPIEXEC, "-n", str(size), sys.executable, "-u"]
    starts += ["-m", "mpi4py"] if told else []
    return subprocess.run(
        [*starts, *command], env=environment(), capture_output=True, text=True, timeout=60
    )


@contextlib.contextmanager
def locked(path):
    """Let one of pytest's workers in, the others wait."""
    while True:
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL))
            break
        except FileExistsError:
            time.sleep(0.05)
    try:
        yield
    finally:
        path.unlink()


@pytest.fixture(scope="session")
def launched(tmp_path_factory):
    """What the trainings gave: a function of the number of ranks. Workers share the launches."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "ranks"
    folder.mkdir(exist_ok=True)
    read = {}

    def results(size):
        if size not in read:
            own = folder / str(size)
            with locked(folder / f"lock{size}"):
                if not own.exists():
                    own.mkdir()
                    done = mpiexec(size, SCRIPT, "all", str(own))
                    (own / "told").write_text(f"{done.returncode}\n{done.stdout}\n{done.stderr}")
            file = own / f"all{size}.pickle"
            assert file.exists(), (own / "told").read_text()
            read[size] = own, pickle.loads(file.read_bytes())
        return read[size]

    return results


def bits(found):
    """Return what is equal where all arrays are, bit for bit."""
    return {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in found.items()}


def check_alike(everyone, name):
    """Check that ranks have the same, and no errors; return it."""
    for own in everyone:
        assert "error" not in own, f"{name}: {own['error']}"
        assert bits(own) == bits(everyone[0]), name
    return everyone[0]


def check_close(found, expected, tolerance, name):
    assert found.keys() == expected.keys(), name
    for key, array in expected.items():
        assert (found[key].dtype, found[key].shape) == (array.dtype, array.shape), (name, key)
        np.testing.assert_allclose(
            found[key], array, rtol=tolerance, atol=tolerance, err_msg=f"{name}: {key}"
        )


def errors(everyone):
    return [str(own.get("error")) for own in everyone]


@sizes
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_several_ranks_equal_one(launched, size, dtype):
    _, results = launched(size)
    for name, what in trainings.CASES.items():
        found = check_alike(results[f"{name}, {dtype}"], name)
        check_close(found, trainings.train(what, None, dtype), EXACT[dtype], name)


@sizes
def test_ranks_replay_what_they_compute_call_by_call(launched, size):
    _, results = launched(size)
    for name in trainings.EAGER:
        found = check_alike(results[f"eager {name}"], name)
        assert bits(found) == bits(results[f"{name}, float64"][0]), name


@pytest.mark.parametrize("library", trainings.LIBRARIES)
def test_ranks_on_other_libraries(launched, library):
    pytest.importorskip(library)
    _, results = launched(2)
    for name in trainings.ELSEWHERE:
        found = check_alike(results[f"{library} {name}"], name)
        check_close(found, trainings.train(trainings.CASES[name]), 1e-12, name)


@sizes
def test_seeds_are_the_first_ranks(launched, size):
    _, results = launched(size)
    found = check_alike(results["seeds differ"], "random_state=None")
    assert not np.allclose(found["params"], results["dropout, float64"][0]["params"])


@sizes
def test_a_second_fit_goes_on(launched, size):
    _, results = launched(size)
    check_close(check_alike(results["state"], "state"), trainings.continued(None), 1e-12, "state")


@sizes
def test_callbacks_are_called_on_the_first_rank_alone(launched, size):
    folder, results = launched(size)
    found = check_alike(results["callbacks"], "callbacks")
    expected = trainings.with_callbacks(None, None)
    assert set(found.pop("stopped")) == set(expected.pop("stopped"))
    calls = found.pop("calls").tolist()
    assert calls == [len(found["losses"])] + [0] * (size - 1)
    assert 2 < calls[0] < 30
    check_close(found, expected, 1e-12, "callbacks")
    lines = (folder / "log.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in lines] == [
        "epoch",
        *map(str, range(1, calls[0] + 1)),
    ]
    saved = checkpoints.load(folder / "net").training
    np.testing.assert_array_equal(saved.history.losses, found["losses"])


@sizes
def test_time_is_up_when_it_is_on_the_first_rank(launched, size):
    _, results = launched(size)
    assert len(check_alike(results["time limit"], "time limit")["losses"]) > 1


@sizes
def test_all_ranks_see_what_is_wrong(launched, size):
    _, results = launched(size)
    diverged = errors(results["diverged"])
    assert len(set(diverged)) == 1
    assert diverged[0].startswith("DivergenceError: Training diverged: the training loss became")
    other = errors(results["wrong data"])
    assert len(set(other)) == 1
    assert other[0].startswith("ValueError: The ranks were given different data (rank 0: 101 sam")
    assert f"; rank {size - 1}: 101 samples, " in other[0]
    for what in ("lengths", "batches"):
        for error in errors(results[f"other {what}"]):
            assert error.startswith(f"ValueError: The ranks were given different {what} (rank 0: ")
    assert "objectives=True" in errors(results["averaged, objectives"])[0]
    too_few = errors(results["blocks"])
    if size == 3:
        assert set(too_few) == {
            "ValueError: x has 2 block(s), and batch_size=25, for 3 ranks. Each needs a block, and "
            "a row of each batch: pass a smaller block_rows, or fewer ranks."
        }
    else:
        check_alike(results["blocks"], "as many blocks as ranks")


@sizes
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NaN on rank 1", "ValueError: x holds NaN or infinity. Remove or impute those values"),
        ("wrong state on rank 1", "ValueError: params has shape (47,); (41,) or (models, 41)"),
    ],
)
def test_what_fails_on_one_rank_is_told_on_all(launched, size, name, message):
    _, results = launched(size)
    for rank, error in enumerate(errors(results[name])):
        told = "" if rank == 1 else f"RankError: Rank 1 of {size} failed: "
        assert error.startswith(told + message), rank


def test_some_of_the_ranks_may_train(launched):
    """Each communicator is its own, also where steps are shared."""
    _, results = launched(3)
    *two, alone = results["some of the ranks"]
    found = check_alike(two, "two of three")
    assert bits(found) == bits(launched(2)[1]["plain, float64"][0])
    assert bits(alone) == bits(trainings.train(trainings.CASES["plain"]))


# Local SGD


def by_hand(size, every, sampling, x, t):
    """A linear classifier of `size` ranks that are averaged, as one would write it down."""
    rng = np.random.RandomState(0)
    w = np.tile(trainings.LINEAR.initialize(rng), (size, 1))
    seen, step, losses = np.zeros(size), 0, []
    n = len(x)
    for _epoch in range(4):
        order = rng.permutation(n) if sampling == "shuffle" else np.arange(n)
        loss = 0.0
        for first in range(0, n, trainings.BATCH):
            batch = order[first : first + trainings.BATCH]
            for rank in range(size):
                m = len(batch)
                own = batch[m * rank // size : m * (rank + 1) // size]
                if len(own):
                    z = x[own] @ w[rank, :-1] + w[rank, -1]
                    loss += np.sum(np.logaddexp(0.0, z) - t[own] * z)
                    error = (1 / (1 + np.exp(-z)) - t[own]) / len(own)
                    w[rank] -= 0.3 * np.append(error @ x[own], error.sum())
                seen[rank] += len(own)
            step += 1
            if step % every == 0 or first + trainings.BATCH >= n:  # also where the epoch ends
                w[:] = seen / seen.sum() @ w
                seen[:] = 0.0
        losses.append(loss / n)
    return w[0], losses


@sizes
@pytest.mark.parametrize("rows", [trainings.ALL_BUSY, trainings.N])
@pytest.mark.parametrize("name", trainings.AVERAGED)
def test_averaged_ranks_are_those_of_a_loop_by_hand(launched, size, name, rows):
    _, results = launched(size)
    data = trainings.more_rows()
    x, t = data["x"][:rows], data["t"][:rows]
    found = check_alike(results[f"averaged {name}, {rows}"], name)
    every, sampling = trainings.AVERAGED[name]
    params, losses = by_hand(size, every, sampling, x, t)
    np.testing.assert_allclose(found["params"], params, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found["losses"], losses, rtol=1e-12)
    summed = trainings.train(
        trainings.case(trainings.LINEAR, optimizer=trainings.SGD(0.3), sampling=sampling, x=x, t=t)
    )
    apart = np.abs(found["params"] - summed["params"]).max()
    assert apart < 1e-12 if every == 1 else 1e-6 < apart < 0.5


@sizes
@pytest.mark.parametrize("name", trainings.AVERAGED_TOO)
def test_averaged_ranks_are_alike(launched, size, name):
    _, results = launched(size)
    found = check_alike(results[f"averaged, {name}"], name)
    summed = results[f"{name}, float64"][0]
    assert all(np.isfinite(array).all() for array in found.values())
    assert 1e-6 < np.abs(found["params"] - summed["params"]).max() < 0.5


# Streams


@sizes
@pytest.mark.parametrize("name", trainings.STREAMS)
def test_ranks_train_on_streams_by_their_plans(launched, size, name):
    _, results = launched(size)
    found = check_alike(results[f"stream, {name}"], name)
    check_close(found, trainings.in_memory(size, **trainings.STREAMS[name]), 1e-12, name)


def test_the_stream_is_uneven():
    lengths = trainings.stream().source.lengths
    assert len(lengths) == 7
    assert len(set(lengths)) > 3


def test_a_killed_run_ends_and_is_resumed(launched, tmp_path):
    began = time.monotonic()
    killed = mpiexec(2, SCRIPT, "stream", str(tmp_path), "kill")
    assert killed.returncode != 0, killed.stdout
    assert time.monotonic() - began < 30, "10 s after the kill; the rest is for a busy machine"
    assert "done" not in killed.stdout
    state = checkpoints.load(tmp_path / "run").training.state
    assert (state.epoch, state.steps_into_epoch > 0) == (1, True)
    again = mpiexec(2, SCRIPT, "stream", str(tmp_path))
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("the run goes on, after epoch 1 of 5.") == 1
    resumed = pickle.loads((tmp_path / "stream2.pickle").read_bytes())["resumed"]
    found = check_alike(resumed, "resumed")
    assert bits(found) == bits(check_alike(launched(2)[1]["uninterrupted"], "uninterrupted"))


# Failures


@pytest.mark.parametrize(
    ("where", "message", "rank"),
    [
        ("reader", "OSError: the disk is gone", 1),
        ("callback", "RuntimeError: the callback is broken", 0),
    ],
)
def test_a_rank_that_fails_ends_all(where, message, rank):
    """Also where the script was not started by ``-m mpi4py``."""
    began = time.monotonic()
    done = mpiexec(2, SCRIPT, "fail", where, told=False)
    assert time.monotonic() - began < 30, "10 s; the rest is for a busy machine"
    assert done.returncode != 0
    assert message in done.stderr
    assert f"Rank {rank} of 2 failed: all ranks end." in done.stderr


def test_jax_says_that_it_cannot_be_cut():
    pytest.importorskip("jax")
    done = mpiexec(2, SCRIPT, "fail", "jax")
    assert done.returncode != 0
    assert "cannot be cut where the ranks'" in done.stderr


# The command line


def test_the_command_line_prints_once():
    train = ("-m", "xpnet", "train", "moons", "--epochs", "3")
    done = mpiexec(2, *train)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines].count("accuracy") == 1
    assert lines[0].startswith("data       moons: 640 train")
    assert "3 (60 steps)" in done.stdout
    wrong = mpiexec(2, *train, "--hidden", "0")
    assert wrong.returncode != 0
    assert wrong.stderr.count("--hidden") == 1


def test_the_command_line_without_mpi4py_says_how_to_start_it():
    done = mpiexec(2, "-m", "xpnet", "train", "moons", "--epochs", "3", told=False)
    assert done.returncode != 0
    assert "Start them by mpiexec -n N python -m mpi4py -m xpnet train" in done.stderr
    assert "accuracy" not in done.stdout
