"""``xpnet train`` on Parquet files, which are streamed."""

import re

import numpy as np
import pytest

from xpnet.cli import main, ranks
from xpnet.datasets import stream_table
from xpnet.streams import Stream

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

RNG = np.random.RandomState(0)
X = RNG.standard_normal((600, 3)).astype(np.float32)
AMOUNTS = X @ np.array([1.0, -2.0, 0.5], dtype=np.float32)


@pytest.fixture
def table(tmp_path):
    """Return a function that writes a file with those targets, and returns its path."""

    def write(targets):
        columns = {**dict(zip("abc", X.T, strict=True)), "kind": targets}
        path = tmp_path / "table.parquet"
        parquet.write_table(arrow.table(columns), path, row_group_size=50)
        return path

    return write


@pytest.fixture
def run(capsys):
    """Return a function that runs the command; it returns the exit code, output and errors."""

    def train(path, *options):
        arguments = ["train", str(path), "--target", "kind", "--quiet", *map(str, options)]
        return main(arguments), *capsys.readouterr()

    return train


@pytest.mark.parametrize(
    ("targets", "loss", "told"),
    [
        (AMOUNTS > 0, "BinaryCrossEntropy", "2 classes"),
        ((AMOUNTS > 0).astype(int) + (AMOUNTS > 1), "SoftmaxCrossEntropy", "3 classes"),
        (np.array(["no", "yes"])[(AMOUNTS > 0).astype(int)], "BinaryCrossEntropy", "2 classes"),
        (AMOUNTS, "SquaredError", "3 features\n"),
    ],
)
def test_a_file_is_streamed(run, table, targets, loss, told):
    code, out, err = run(table(targets), "--epochs", 30, "--optimizer", "adam")
    assert (code, err) == (0, "")
    assert out.startswith("data       table: 480 train, 120 validation, 0 test, 3 features")
    assert told in out
    score = float(re.search(r"(?:accuracy|R²) +validation (\S+)", out)[1])
    assert score > 0.7
    assert re.search(rf"loss +{loss}: last epoch \S+, validation \S+\n", out)


def test_the_data_are_those_of_the_file(table):
    words = np.array(["no", "yes", "perhaps"])[RNG.randint(0, 3, 600)]
    data = stream_table(table(words), "kind")
    assert (data.is_streamed, data.n_train, data.n_classes) == (True, 480, 3)
    assert isinstance(data.x_train, Stream)
    codes = {"no": 0, "perhaps": 1, "yes": 2}
    train = tuple(map(np.concatenate, zip(*data.x_train, strict=True)))
    rows = {row.tobytes(): codes[word] for row, word in zip(X, words, strict=True)}
    for x, t in (train, (data.x_val, data.t_val)):
        assert [rows.pop(row.tobytes()) for row in x] == t.tolist()
    assert not rows


def test_columns_of_flags_are_numbers(tmp_path):
    flags = RNG.randint(0, 2, (400, 2)).astype(np.uint8)
    columns = {"a": flags[:, 0], "b": flags[:, 1], "kind": flags.sum(axis=1) % 2}
    parquet.write_table(arrow.table(columns), tmp_path / "flags.parquet")
    x = stream_table(tmp_path / "flags.parquet", "kind").x_val
    assert x.dtype == np.float32
    assert x.max() == 1.0


def test_a_rare_class_is_counted(table):
    targets = np.zeros(600, dtype=int)
    targets[7] = 2
    assert stream_table(table(targets), "kind").n_classes == 3


def test_a_run_goes_on_from_its_checkpoint(run, table, tmp_path, caplog):
    options = ["--checkpoint", tmp_path / "run", "--buffer-mib", 1]
    path = table(AMOUNTS > 0)
    whole = run(path, "--epochs", 4)[1]
    run(path, "--epochs", 2, *options)
    code, out, _ = run(path, "--epochs", 4, *options)
    assert code == 0
    assert "goes on, after epoch 2 of 4" in caplog.text
    unlike = ("time", "optimizer")
    for found, expected in zip(out.splitlines(), whole.splitlines(), strict=True):
        assert found == expected or found.startswith(unlike)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--target", "kin"], "target='kin' is not a column. Did you mean 'kind'?"),
        (["--buffer-mib", "0"], "--buffer-mib=0 must be at least 1"),
        (["--batch-size", "all"], "batch_size=None is all samples"),
        (["--sampling", "replacement"], "'shuffle' or 'sequential'"),
        (["--average-every", "3"], "average_every=3"),
    ],
)
def test_wrong_options_are_told(run, table, options, told):
    code, out, err = run(table(AMOUNTS > 0), *options)
    assert (code, out) == (2, "")
    assert told in err


def test_options_of_files_are_for_files(capsys):
    assert main(["train", "moons", "--buffer-mib", "3"]) == 2
    assert "--buffer-mib is for .parquet files" in capsys.readouterr().err


def test_processes_that_know_nothing_of_each_other_are_told(capsys, monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setitem(ranks.sys.modules, "mpi4py", None)
    monkeypatch.delitem(ranks.sys.modules, "mpi4py")
    assert main(["train", "moons"]) == 2
    assert "python -m mpi4py -m xpnet train" in capsys.readouterr().err
