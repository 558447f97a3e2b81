"""The command line: what each option does, and what is said of wrong ones."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest

import xpnet
from xpnet import SGD, BinaryCrossEntropy, Dense, Network, Sigmoid, Trainer, checkpoints, datasets
from xpnet.backends import BACKENDS, BackendUnavailableError, Status
from xpnet.bench.contestant import Contestant
from xpnet.bench.race import Entry, Result
from xpnet.cli import bench, info, main, train
from xpnet.initializers import He
from xpnet.training import Run

MNIST = Path(
    os.environ.get("XPNET_DATA_HOME") or Path(__file__).parents[1] / "../shared/data/mnist"
)


@pytest.fixture
def run(capsys):
    """Return a function that runs a command which must succeed, and returns its output."""

    def succeed(*arguments):
        code = main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        assert (code, err) == (0, "")
        return out

    return succeed


@pytest.fixture
def fail(capsys):
    """Return a function that runs a command which must fail, and returns its message."""

    def fail(*arguments):
        code = main([str(a) for a in arguments])
        out, err = capsys.readouterr()
        assert (code, out) == (2, "")
        assert err.startswith("xpnet: error: ")
        assert len(err.splitlines()) == 1
        return err

    return fail


@pytest.fixture
def trainers(monkeypatch):
    """Return the list of the trainers that commands make, each with the options of its fit."""
    made = []

    class Recorded(Trainer):
        def fit(self, *arguments, **options):
            self.options = options
            made.append(self)
            return super().fit(*arguments, **options)

    monkeypatch.setattr(train, "Trainer", Recorded)
    return made


def lines(text):
    """Return the summary as a dict."""
    return {line[:11].strip(): line[11:] for line in text.splitlines()}


def layers_of(trainer):
    return [type(layer).__name__ for layer in trainer.problem.network.layers]


def sizes_of(trainer):
    layers = trainer.problem.network.layers
    return [(la.n_features_in, la.n_outputs) for la in layers if isinstance(la, Dense)]


# ---- the program


@pytest.mark.parametrize(
    "arguments", [["--help"], ["train", "--help"], ["parity", "-h"], ["bench", "-h"]]
)
def test_help_tells_what_there_is(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: xpnet")
    wanted = {"train": "breast-cancer", "parity": "--full", "bench": "--rounds", "--help": "info"}
    assert wanted[arguments[0]] in out


def test_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"xpnet {xpnet.__version__}\n"


def python(*arguments):
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments], capture_output=True, text=True
    )


def test_the_module_is_the_command():
    done = python("-m", "xpnet", "train", "moons", "--quiet", "--epochs", "1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("data       moons: 640 train")
    done = python("-m", "xpnet", "train", "moon")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("xpnet: error: DATA='moon' is unknown. Did you mean 'moons'?")


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from xpnet.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'sklearn', 'scipy', 'torch', 'jax', 'cupy', 'matplotlib', 'pandas'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))\n"
    )
    assert python("-c", code).stdout.endswith("heavy: []\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], r"required: COMMAND \(see xpnet --help\)"),
        (["trian", "moons"], r"invalid choice: 'trian'"),
        (["train"], r"required: DATA \(see xpnet train --help\)"),
        (["train", "moons", "--epoch", "3"], "unrecognized arguments: --epoch 3"),
        (["parity", "--dtype"], "expected one argument"),
    ],
)
def test_wrong_commands(fail, arguments, message):
    assert re.search(message, fail(*arguments))


@pytest.mark.parametrize(
    "error",
    [
        ValueError("what"),
        TypeError("what"),
        FileNotFoundError("what"),
        PermissionError("what"),
        ConnectionError("what"),
        ImportError("what"),
        ModuleNotFoundError("what"),
        BackendUnavailableError("what"),
        FloatingPointError("what"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_errors_of_users_are_one_line(fail, monkeypatch, error):
    def run(arguments):
        raise error

    monkeypatch.setattr(info, "run", run)
    assert fail("info") == "xpnet: error: what\n"


def test_errors_of_ours_keep_their_traceback(monkeypatch):
    monkeypatch.setattr(info, "run", lambda arguments: {}["bug"])
    with pytest.raises(KeyError, match="bug"):
        main(["info"])


def test_ctrl_c(monkeypatch, capsys):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "fit", interrupt)
    assert main(["train", "moons"]) == 130
    assert capsys.readouterr() == ("", "xpnet: interrupted\n")


# ---- xpnet info


def test_info_of_this_machine(run):
    out = run("info")
    assert out.startswith(f"xpnet {xpnet.__version__}, Python 3.")
    for name in ("numpy", "array-api-compat", "scikit-learn", "tqdm", "safetensors"):
        assert re.search(rf"^  {name} +\d+\.\d+", out, re.MULTILINE)
    assert re.search(rf"^  numpy +{re.escape(np.__version__)} on cpu$", out, re.MULTILINE)
    for name in BACKENDS:
        assert re.search(rf"^  {name} +(\d.* on |not usable: )", out, re.MULTILINE)


def test_info_says_what_is_missing_and_how_to_get_it(run, monkeypatch):
    status = {
        "numpy": Status(True, version="2.1", device="cpu"),
        "cupy": Status(False, reason="no CUDA device was found", remedy="Install a driver"),
    }
    monkeypatch.setattr(xpnet.backends, "available", lambda: status)
    monkeypatch.setattr(info, "_EXTRAS", {"no-such-package": "pip install it"})
    monkeypatch.setattr(info, "_CORE", ("no-such-core",))
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    out = run("info")
    indent = " " * 24
    assert "  numpy                 2.1 on cpu\n  cupy                  not usable: " in out
    assert f"not usable: no CUDA device was found\n{indent}Install a driver\n" in out
    assert "  no-such-package       missing; pip install it\n" in out
    assert "  no-such-core          missing\n" in out
    assert re.search(r"^  cores +[1-9]\d*$", out, re.MULTILINE)
    assert "  OMP_NUM_THREADS       3\n" in out
    assert "  MKL_NUM_THREADS       not set\n" in out


# ---- xpnet train


def test_a_run_is_the_librarys_run(run):
    data = datasets.load_breast_cancer()
    net = Network([Dense(30, 10), Sigmoid(), Dense(10, 1)])
    trainer = Trainer(net, BinaryCrossEntropy(), SGD(0.1), random_state=0)
    held_out = (data.x_val, data.t_val)
    history = trainer.fit(data.x_train, data.t_train, epochs=20, validation_data=held_out)
    test_loss, test_score = trainer.evaluate(data.x_test, data.t_test)
    summary = lines(run("train", "breast-cancer", "--quiet"))
    assert list(summary) == [
        "data",
        "net",
        "loss",
        "accuracy",
        "optimizer",
        "epochs",
        "time",
        "backend",
    ]
    assert summary["data"] == repr(data).strip("<>")
    assert summary["net"] == "30-10-1, Sigmoid(), 321 parameters"
    train_loss, train_score = trainer.evaluate(data.x_train, data.t_train)
    assert summary["loss"] == (
        f"BinaryCrossEntropy: train {train_loss:.4f}, "
        f"validation {history.val_losses[-1]:.4f}, test {test_loss:.4f}"
    )
    assert summary["accuracy"] == (
        f"train {train_score:.4f}, validation {history.val_scores[-1]:.4f}, test {test_score:.4f}"
    )
    assert summary["optimizer"] == repr(SGD(0.1))
    assert summary["epochs"] == "20 (240 steps)"
    assert re.fullmatch(r"\d+\.\d\d s with validation, [\d,]+ µs a step", summary["time"])
    assert summary["backend"] == "numpy on cpu, float64"


@pytest.mark.parametrize(
    ("data", "sizes"),
    [
        ("breast-cancer", [(30, 10), (10, 1)]),
        ("digits", [(64, 50), (50, 10)]),
        ("moons", [(2, 10), (10, 5), (5, 1)]),
    ],
)
def test_each_data_set_has_its_net(run, trainers, data, sizes):
    summary = lines(run("train", data, "--quiet", "--epochs", 2))
    assert sizes_of(trainers[0]) == sizes
    assert layers_of(trainers[0])[:2] == ["Dense", "Sigmoid"]
    assert summary["data"].startswith(f"{data}: ")


@pytest.mark.skipif(not MNIST.is_dir(), reason=f"MNIST does not lie at {MNIST}")
def test_mnist_from_a_folder(run, trainers):
    out = run("train", "mnist", "--quiet", "--data-home", MNIST, "--iterations", 3)
    summary = lines(out)
    assert sizes_of(trainers[0]) == [(784, 50), (50, 10)]
    assert summary["data"].startswith("mnist: 60000 train, 10000 validation, 0 test")
    assert "test" not in summary["loss"]
    assert summary["backend"] == "numpy on cpu, float32"


def option(**wanted):
    return lambda trainer: (
        {name: getattr(trainer.problem.optimizer, name) for name in wanted} == wanted
    )


def rate(**wanted):
    def check(trainer):
        schedule = trainer.problem.optimizer.learning_rate
        return {"type": type(schedule).__name__, **vars(schedule)} == wanted

    return check


OPTIONS = [
    ("--hidden 7 3", lambda t: sizes_of(t) == [(2, 7), (7, 3), (3, 1)]),
    ("--hidden", lambda t: sizes_of(t) == [(2, 1)] and layers_of(t) == ["Dense"]),
    ("--activation tanh", lambda t: layers_of(t)[1::2] == ["Tanh", "Tanh"]),
    (
        "--dropout 0.25",
        lambda t: (
            layers_of(t)[:3] == ["Dense", "Sigmoid", "Dropout"]
            and layers_of(t)[-2:] == ["Dropout", "Dense"]
            and t.problem.network.layers[2].rate == 0.25
        ),
    ),
    ("--weight-init he", lambda t: t.problem.network.layers[0].weight_init == He()),
    ("--loss squared_error", lambda t: type(t.problem.loss).__name__ == "SquaredError"),
    (
        "--loss softmax_cross_entropy",
        lambda t: sizes_of(t)[-1] == (5, 2) and t.history_.losses[-1] < 0.75,
    ),
    ("--optimizer adam", option(learning_rate=1e-3, beta1=0.9)),
    ("--optimizer lion --learning-rate 0.02", option(learning_rate=0.02, beta2=0.99)),
    ("--momentum 0.5 --learning-rate 0.2", option(momentum=0.5, learning_rate=0.2)),
    ("--schedule constant", rate(type="Constant", learning_rate=0.1, unit="epoch")),
    (
        "--schedule step --schedule-option every=5 --schedule-option gamma=0.5",
        rate(type="StepDecay", learning_rate=0.1, every=5, gamma=0.5, unit="epoch"),
    ),
    (
        "--schedule cosine --learning-rate 0.3 --schedule-option warmup=1",
        rate(type="Cosine", learning_rate=0.3, total=2, warmup=1, final=0.0, unit="epoch"),
    ),
    (
        "--schedule cosine --schedule-option unit=step",
        rate(type="Cosine", learning_rate=0.1, total=40, warmup=0, final=0.0, unit="step"),
    ),
    (
        "--schedule cosine --schedule-option total=9",
        rate(type="Cosine", learning_rate=0.1, total=9, warmup=0, final=0.0, unit="epoch"),
    ),
    ("--l1 0.5 --l2 0.25", lambda t: (t.problem.penalty.l1, t.problem.penalty.l2) == (0.5, 0.25)),
    ("--max-norm 0.5", lambda t: t.problem.max_norm == 0.5),
    ("--batch-size 100", lambda t: t.state_.step == 2 * 7),
    ("--batch-size all", lambda t: t.state_.step == 2),
    ("--sampling sequential", lambda t: repr(t.options["sampling"]) == "InOrder(batch_size=32)"),
    ("--sampling replacement --batch-size 300", lambda t: t.state_.step == 2 * 3),
    ("--seed 3", lambda t: t.random_state == 3),
    ("--backend auto", lambda t: t.backend in ("numpy", "cupy")),
    ("--device cpu", lambda t: t.device == "cpu"),
    ("--dtype float32", lambda t: t.state_.params.dtype == np.float32),
]


@pytest.mark.parametrize(("text", "check"), OPTIONS, ids=[text for text, _ in OPTIONS])
def test_each_option_does_what_it_says(run, trainers, text, check):
    run("train", "moons", "--quiet", "--epochs", 2, *text.split())
    (trainer,) = trainers
    assert trainer.state_.epoch == 2
    assert check(trainer)


@pytest.mark.parametrize(
    ("text", "epochs", "steps"),
    [
        ("--epochs 3", 3, 60),
        ("--iterations 3", 1, 3),
        ("--iterations 45 --sampling replacement", 3, 45),
        ("--iterations 3 --batch-size all", 3, 3),
    ],
)
def test_lengths_in_epochs_or_steps(run, trainers, text, epochs, steps):
    summary = lines(run("train", "moons", "--quiet", *text.split()))
    assert (trainers[0].state_.epoch, trainers[0].state_.step) == (epochs, steps)
    assert summary["epochs"] == f"{epochs} ({steps} steps)"


@pytest.mark.parametrize(("unit", "total"), [("epoch", 3), ("step", 45)])
def test_a_cosine_ends_with_the_iterations(run, trainers, unit, total):
    schedule = ("--schedule", "cosine", "--schedule-option", f"unit={unit}")
    run("train", "moons", "--quiet", "--iterations", 45, *schedule)
    assert trainers[0].problem.optimizer.learning_rate.total == total


@pytest.mark.parametrize("name", ["array_api_strict", "jax", "torch"])
def test_other_backends_print_the_same_losses(run, name):
    pytest.importorskip(name)
    arguments = ("train", "moons", "--quiet", "--epochs", 2)
    reference = lines(run(*arguments))
    summary = lines(run(*arguments, "--backend", name))
    for line in ("loss", "accuracy", "epochs"):
        assert summary[line] == reference[line]
    assert re.fullmatch(rf"{name} on \w+(:0)?, float64", summary["backend"], re.IGNORECASE)


def test_a_device_of_the_backend(run):
    pytest.importorskip("array_api_strict")
    place = ("--backend", "array_api_strict", "--device", "device1")
    out = run("train", "moons", "--quiet", "--epochs", 1, *place)
    assert lines(out)["backend"] == "array_api_strict on device1, float64"


def test_the_progress_bar_is_on_stderr(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel", sys)  # a notebook, where bars are always drawn
    assert main(["train", "moons", "--epochs", "2"]) == 0
    out, err = capsys.readouterr()
    assert "2/2" in err
    assert err.lstrip("\r").startswith("moons:")
    assert out.startswith("data ")


def test_the_net_and_the_picture_are_written(run, tmp_path, trainers):
    pytest.importorskip("matplotlib")
    net, picture = tmp_path / "new" / "net.safetensors", tmp_path / "new" / "curve.png"
    out = run("train", "moons", "--quiet", "--epochs", 2, "--save", net, "--plot", picture)
    assert lines(out)["net file"] == str(net)
    assert lines(out)["picture"] == str(picture)
    assert picture.read_bytes().startswith(b"\x89PNG")
    np.testing.assert_array_equal(checkpoints.load(net).params, trainers[0].state_.params)


# ---- the user's own data


def write_csv(path, kind):
    rng = np.random.RandomState(0)
    rows = ["a,b,wanted"]
    for k in range(40):
        a, b = rng.standard_normal(2)
        target = {
            "words": "red" if a > 0 else "blue",
            "classes": k % 3,
            "decimals": f"{float(a > b)}",
            "amounts": f"{2 * a - b:.3f}",
            "signs": 1 if a > 0 else -1,
            "prices": 1000 * k,
        }[kind]
        rows.append(f"{a:.4f},{b:.4f},{target}")
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.mark.parametrize(
    ("kind", "loss", "n_outputs", "score"),
    [
        ("words", "BinaryCrossEntropy", 1, "accuracy"),
        ("classes", "SoftmaxCrossEntropy", 3, "accuracy"),
        ("amounts", "SquaredError", 1, "R²"),
    ],
)
def test_the_loss_suits_the_targets_of_a_table(
    run, trainers, tmp_path, kind, loss, n_outputs, score
):
    path = write_csv(tmp_path / "table.csv", kind)
    summary = lines(run("train", path, "--target", "wanted", "--quiet", "--epochs", 2))
    assert sizes_of(trainers[0]) == [(2, 50), (50, n_outputs)]
    assert summary["data"].startswith("table: 32 train, 8 validation, 0 test")
    assert summary["loss"].startswith(f"{loss}: train ")
    assert score in summary


@pytest.mark.parametrize("kind", ["signs", "prices", "decimals"])
def test_whole_numbers_that_may_be_amounts_are_asked_for(fail, run, trainers, tmp_path, kind):
    path = write_csv(tmp_path / "table.csv", kind)
    arguments = ("train", path, "--target", "wanted", "--quiet", "--epochs", 1)
    assert "--loss squared_error" in fail(*arguments)
    run(*arguments, "--loss", "squared_error", "--learning-rate", 1e-9)
    assert sizes_of(trainers[0]) == [(2, 50), (50, 1)]


@pytest.mark.parametrize(
    ("t", "loss", "n_outputs"),
    [
        (np.arange(30) % 2, "BinaryCrossEntropy", 1),
        (np.arange(30) % 4, "SoftmaxCrossEntropy", 4),
        (np.eye(3, dtype=int)[np.arange(30) % 3], "SoftmaxCrossEntropy", 3),
        (np.ones((30, 2)) / 3, "SquaredError", 2),
    ],
)
def test_the_loss_suits_the_targets_of_arrays(run, trainers, tmp_path, t, loss, n_outputs):
    x = np.random.RandomState(0).standard_normal((30, 4))
    np.savez(tmp_path / "arrays.npz", x=x, t=t)
    summary = lines(run("train", tmp_path / "arrays.npz", "--quiet", "--epochs", 2))
    assert sizes_of(trainers[0]) == [(4, 50), (50, n_outputs)]
    assert summary["loss"].startswith(f"{loss}: ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "DATA='nonsense' is unknown.*Known: breast-cancer, digits, moons, mnist"),
        ("brest-cancer", "Did you mean 'breast-cancer'"),
        ("{tmp}/no.csv", "no.csv does not exist"),
        ("{tmp}", "is a folder"),
        ("{tmp}/table.csv", "target= must name the column to predict: a, b, wanted"),
        ("{tmp}/table.csv --target wnted", "target='wnted' is unknown. Did you mean 'wanted'"),
        ("{tmp}/table.csv --target wanted --loss poisson", "Poisson needs counts"),
        ("moons --target a", "--target is for .csv and .parquet files; DATA is 'moons'"),
        ("moons --data-home .", "--data-home is for mnist; DATA is 'moons'"),
        ("mnist --data-home {tmp}/none", "there is no folder .*none"),
        ("moons --epochs 2 --iterations 3", "--iterations: not allowed with argument --epochs"),
        ("moons --epochs 0", "--epochs=0 must be at least 1"),
        ("moons --iterations -2", "--iterations=-2 must be at least 1"),
        ("moons --epochs 1.5", "--epochs: invalid int value: '1.5'"),
        ("moons --hidden 0", "--hidden=0 must be at least 1"),
        ("moons --hidden ten", "--hidden: invalid int value: 'ten'"),
        ("moons --activation relo", "--activation='relo' is unknown. Did you mean 'relu'"),
        ("moons --weight-init xavier", "--weight-init='xavier' is unknown.*glorot, he, lecun"),
        ("moons --dropout 1", r"rate=1.0 must be in \[0, 1\)"),
        ("moons --dropout 0.5 --hidden", "--dropout needs a hidden layer"),
        ("moons --loss squared", "--loss='squared' is unknown. Did you mean 'squared_error'"),
        ("digits --loss binary_cross_entropy", r"values in \[0, 9\]"),
        ("moons --optimizer adm", "--optimizer='adm' is unknown. Did you mean 'adam'"),
        ("moons --optimizer adam --momentum 0.9", "--momentum is for sgd; adam has none"),
        ("moons --momentum 1.5", r"momentum=1.5 must be in \[0, 1\]"),
        ("moons --learning-rate nan", "learning_rate=nan must be at least 0 and finite"),
        ("moons --learning-rate -1", "learning_rate=-1.0 must be at least 0"),
        ("moons --learning-rate fast", "--learning-rate: invalid float value: 'fast'"),
        ("moons --schedule cosin", "--schedule='cosin' is unknown. Did you mean 'cosine'"),
        ("moons --schedule-option every=2", "--schedule-option needs --schedule"),
        ("moons --schedule step", "--schedule step needs --schedule-option every=…"),
        ("moons --schedule step --schedule-option every", "'every' must be KEY=VALUE"),
        ("moons --schedule step --schedule-option evry=2", "Did you mean 'every'"),
        ("moons --schedule step --schedule-option every=x", "every='x' must be an integer"),
        ("moons --schedule constant --schedule-option learning_rate=1", "is unknown. Known: unit"),
        ("moons --l1 -1", "l1=-1.0 must be at least 0"),
        ("moons --l2 inf", "l2=inf must be at least 0 and finite"),
        ("moons --max-norm 0", "max_norm=0.0 must be above 0"),
        ("moons --batch-size 0", "batch_size=0 must be at least 1"),
        ("moons --batch-size -8", "batch_size=-8 must be at least 1"),
        ("moons --batch-size some", "--batch-size='some' must be a number of samples, or 'all'"),
        ("moons --sampling shufle", "--sampling='shufle' is unknown. Did you mean 'shuffle'"),
        ("moons --seed -1", r"random_state=-1 must be a seed in \[0, 2\*\*32\)"),
        ("moons --backend nmpy", "--backend='nmpy' is unknown. Did you mean 'numpy'"),
        ("moons --device gpu", "device='gpu': backend='numpy' has only 'cpu'"),
        ("moons --dtype float16", "--dtype='float16' is unknown"),
        ("moons --plot {tmp}/a.pdf", r"must be a file that ends in \.png"),
        ("moons --save {tmp}", "--save='.*' is a folder; a file is needed"),
        ("moons --save {tmp}/table.csv/net", "table.csv"),
    ],
)
def test_wrong_options_are_told_before_anything_is_trained(
    fail, monkeypatch, tmp_path, text, message
):
    monkeypatch.delattr(Run, "epoch")
    write_csv(tmp_path / "table.csv", "amounts")
    arguments = [a.replace("{tmp}", str(tmp_path)) for a in text.split()]
    assert re.search(message, fail("train", *arguments, "--quiet"))


def test_a_run_that_diverges_is_told(fail):
    wild = ("--loss", "squared_error", "--learning-rate", "1e200")
    message = fail("train", "moons", "--quiet", *wild)
    assert re.search(r"Training diverged: .* in epoch 1, step \d+ of that epoch", message)


def test_names_are_checked_before_the_data_are_read(fail, monkeypatch):
    def load(*arguments, **options):
        raise AssertionError("the data were read")

    monkeypatch.setattr(train, "load_data", load)
    assert "Did you mean 'adam'" in fail("train", "moons", "--optimizer", "adm")
    assert "batch_size=0" in fail("train", "moons", "--batch-size", "0")


def test_a_backend_that_is_missing_is_told(fail, monkeypatch):
    def version():
        raise BackendUnavailableError("no CUDA device was found")

    monkeypatch.setattr(BACKENDS["cupy"], "version", staticmethod(version))
    message = fail("train", "moons", "--backend", "cupy")
    assert "backend='cupy': no CUDA device was found. Install" in message


def test_a_picture_needs_matplotlib(fail, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    message = fail("train", "moons", "--plot", tmp_path / "a.png")
    assert "pip install 'xpnet[plots]'" in message


def test_a_folder_that_cannot_be_written_to(fail, monkeypatch, tmp_path):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    message = fail("train", "moons", "--save", tmp_path / "net")
    assert f"--save='{tmp_path}/net': {tmp_path} cannot be written to" in message


# ---- xpnet parity


@pytest.fixture
def parity(monkeypatch):
    """Return a stand-in for xpnet.parity that notes its calls."""
    calls = []

    class Report:
        passed = True

        def table(self):
            return "backend  error"

        def to_json(self, path):
            Path(path).write_text(json.dumps({"passed": self.passed}))

        def plot(self, path):
            Path(path).write_bytes(b"picture")
            return path

    def run(**options):
        calls.append(options)
        return Report()

    module = types.SimpleNamespace(run=run, calls=calls, Report=Report)
    monkeypatch.setitem(sys.modules, "xpnet.parity", module)
    monkeypatch.setattr(xpnet, "parity", module, raising=False)
    return module


DEFAULTS = {"backends": None, "dtypes": None, "full": False, "compile": True, "progress": True}


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("", {}),
        ("--backends jax torch:cpu", {"backends": ["jax", "torch:cpu"]}),
        ("--dtype float32", {"dtypes": ["float32"]}),
        ("--full", {"full": True}),
        ("--eager", {"compile": False}),
        ("--quiet", {"progress": False}),
    ],
)
def test_options_of_parity(run, parity, text, changed):
    assert run("parity", *text.split()) == "backend  error\n"
    assert parity.calls == [DEFAULTS | changed]


def test_a_failed_comparison_is_exit_code_1(capsys, parity):
    parity.Report.passed = False
    assert main(["parity"]) == 1
    assert capsys.readouterr() == ("backend  error\n", "")


def test_files_of_parity(run, parity, tmp_path):
    pytest.importorskip("matplotlib")
    figures, picture = tmp_path / "new" / "a.json", tmp_path / "b.png"
    out = run("parity", "--json", figures, "--plot", picture)
    assert out.splitlines()[1:] == [f"figures: {figures}", f"picture: {picture}"]
    assert json.loads(figures.read_text()) == {"passed": True}
    assert picture.read_bytes() == b"picture"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--plot", "a.pdf"], "ends in .png"),
        (["--json", "."], "--json='.' is a folder"),
        (["--dtype", "float16"], "--dtype='float16' is unknown"),
    ],
)
def test_wrong_options_of_parity_are_told_before_it_runs(fail, parity, arguments, message):
    assert message in fail("parity", *arguments)
    assert parity.calls == []


@pytest.mark.parametrize(
    ("targets", "told"),
    [
        (range(100, 160), "48 different whole numbers in 48 samples.*--loss squared_error"),
        ([1, 2, 3] * 20, "from 1 to 3; classes count from 0"),
    ],
)
def test_whole_numbers_that_are_no_classes(tmp_path, capsys, targets, told):
    path = tmp_path / "own.csv"
    path.write_text("x,y\n" + "".join(f"{i},{t}\n" for i, t in enumerate(targets)))
    assert main(["train", str(path), "--target", "y", "--quiet"]) == 2
    assert re.search(told, capsys.readouterr().err)


# ---- xpnet bench


def test_bench_prints_a_table_a_workload(run, monkeypatch):
    monkeypatch.delenv("XPNET_DATA_HOME", raising=False)
    race = bench.race

    def shorter(workload, *arguments, **options):
        return race(workload.shortened(epochs=2, batches=2), *arguments, **options)

    monkeypatch.setattr(bench, "race", shorter)
    out = run("bench", "--rounds", 1)
    for title in ("### breast-cancer: 30-10-1", "### mnist: 784-50-10"):
        assert title in out
    assert "synthetic images" in out
    for name in ("floor", "xpnet numpy", "xpnet MLPClassifier", "scikit-learn", "tutorial float64"):
        assert len(re.findall(rf"^\| {name} +\|", out, re.M)) == 2
    assert out.splitlines()[-1].startswith("breast-cancer (1): xpnet numpy ")


def raced(workload, threads, **losses):
    """Return a race in which each ended with that loss."""
    first = {"import": 0.0, "first_fit": 0.0, "peak": None}
    entries = {n: Entry(Contestant(n, ""), [1.0], [2.0], [x], first) for n, x in losses.items()}
    return Result(workload, "data", threads, 1, 1.0, entries)


def test_bench_hands_its_options_on(run, monkeypatch):
    calls = []

    def race(workload, contestants, *, rounds, threads, **options):
        calls.append((workload.name, contestants[1].label, rounds, threads))
        return raced(workload, threads, **{"xpnet a": 0.5})

    monkeypatch.setattr(bench, "race", race)
    run(
        *[
            "bench",
            "--workloads",
            "deep",
            "--backends",
            "numpy:cpu",
            "--rounds",
            "3",
            "--threads",
            "1",
            "2",
        ]
    )
    assert calls == [("deep", "xpnet numpy:cpu", 3, 1), ("deep", "xpnet numpy:cpu", 3, 2)]


def test_results_that_differ_are_exit_code_1(capsys, monkeypatch):
    def race(workload, contestants, *, threads, **options):
        return raced(workload, threads, **{"xpnet a": 0.5, "b": 0.5, "c": 0.8})

    monkeypatch.setattr(bench, "race", race)
    assert main(["bench", "--workloads", "deep"]) == 1
    assert "0.80000 WRONG" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workloads", "narrow"], "--workloads='narrow'"),
        (["--rounds", "0"], "--rounds=0"),
        (["--threads", "0"], "--threads=0"),
        (["--backends", "nunpy"], "'nunpy'"),
        (["--data-home", "nowhere", "--workloads", "mnist"], "nowhere"),
    ],
)
def test_wrong_options_of_bench(fail, arguments, message):
    assert message in fail("bench", *arguments)
