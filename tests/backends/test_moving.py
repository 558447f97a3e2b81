"""Arrays on their way: to a backend and back, and whose they are."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from xpnet import Dense, Network, Trainer, backends

WHOLE = np.arange(24).reshape(4, 6)
HOST = {
    "plain": WHOLE,
    "negative strides": WHOLE[::-1, ::-2],
    "transposed": WHOLE.T,
    "no axes": WHOLE[1, 1],
    "empty": WHOLE[:0],
    "list": WHOLE.tolist(),
}


def read_only(array):
    array = np.array(array)
    array.setflags(write=False)
    return array


@pytest.mark.parametrize("kind", ["float32", "float64", "int32", "int64", "uint8"])
@pytest.mark.parametrize("form", [*HOST, "read-only", "big-endian"])
def test_a_round_trip_keeps_every_number(backend, lies_on, form, kind):
    if backend.device_name == "no_x64" and kind in ("float64", "int64"):
        pytest.skip("the device has no 64-bit types")
    if form in HOST:
        value = HOST[form]
    elif form == "read-only":
        value = read_only(WHOLE)
    else:
        value = WHOLE.astype(WHOLE.dtype.newbyteorder())
    expected = np.asarray(value).astype(kind)
    with backend.session(kind if kind.startswith("float") else "float64"):
        array = backend.asarray(value, kind)
        assert tuple(array.shape) == expected.shape
        again = backend.asarray(array, kind)
        np.testing.assert_array_equal(lies_on(backend, again, kind), expected, strict=True)
        np.testing.assert_array_equal(lies_on(backend, array, kind), expected, strict=True)
        narrow = backend.asarray(array, "float32")
        np.testing.assert_array_equal(
            lies_on(backend, narrow, "float32"), expected.astype("float32"), strict=True
        )


def test_a_dtype_is_kept_unless_one_is_asked_for(backend, lies_on):
    for value in (np.ones(2, dtype=np.uint8), np.ones(2, dtype=np.float32)):
        lies_on(backend, backend.asarray(backend.asarray(value)), value.dtype)


def test_what_was_brought_is_not_changed_by_the_library(backend):
    """A read-only array must not become writable through the back door."""
    host = read_only(np.zeros(3))
    array = backend.asarray(host, "float32")
    if backend.mutable:
        with contextlib.suppress(ValueError):
            array[0] = 1.0
    assert host.tolist() == [0.0, 0.0, 0.0]


def test_the_owner_is_told_from_the_array(backend):
    array = backend.asarray(np.ones(2), "float32")
    name = None if backend.name == "numpy" else backend.name
    assert backends.owner(array) == name
    for cls in backends.BACKENDS.values():
        assert cls.owns(array) == (cls.name == backend.name)
    like = backends.get(like=([1.0], array, np.ones(1)))
    assert (like.name, like.device_name) == (backend.name, backend.device_name)
    of = type(backend).of(array)
    assert (of.name, of.device_name) == (backend.name, backend.device_name)
    host = backends.to_host(array)
    assert type(host) is np.ndarray
    assert host.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("value", [None, 1, [1.0], "x", np.ones(2), np.float32(1)])
def test_host_data_has_no_owner_and_stays_as_it_is(value):
    assert backends.owner(value) is None
    assert backends.to_host(value) is value
    assert backends.get(like=(value,)).name == "numpy"


@pytest.mark.parametrize(
    ("create", "expected"),
    [
        (lambda xp: xp.zeros((2,), dtype=xp.float32), [0.0, 0.0]),
        (lambda xp: xp.ones((2,), dtype=xp.float32), [1.0, 1.0]),
        (lambda xp: xp.full((2,), 3.0, dtype=xp.float32), [3.0, 3.0]),
        (lambda xp: xp.arange(2, dtype=xp.float32), [0.0, 1.0]),
        (lambda xp: xp.linspace(0.0, 1.0, 3, dtype=xp.float32), [0.0, 0.5, 1.0]),
        (lambda xp: xp.asarray([1.5, 2.5], dtype=xp.float32), [1.5, 2.5]),
        (lambda xp: xp.empty((0,), dtype=xp.float32), []),
        (lambda xp: xp.zeros_like(xp.ones((1,), dtype=xp.float32)), [0.0]),
    ],
)
def test_what_the_namespace_creates_lies_on_the_device(backend, lies_on, create, expected):
    made = create(backends.namespace(backend.asarray(np.ones(1), "float32")))
    assert lies_on(backend, made, "float32").tolist() == expected


LIBRARIES = ["cupy", "jax", "torch", "array_api_strict"]


def column(name):
    """Return an array of that library, where it can be used."""
    try:
        return backends.get(name).asarray(np.ones((2, 1)), "float32")
    except backends.BackendUnavailableError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("first", "second"), [(a, b) for i, a in enumerate(LIBRARIES) for b in LIBRARIES[i + 1 :]]
)
def test_libraries_do_not_mix(first, second):
    x, t = column(first), column(second)
    told = f"arrays of {' and '.join(sorted((first, second)))} came in.*must use the same namespace"
    with pytest.raises(ValueError, match=told):
        backends.get(like=(x, t))
    trainer = Trainer(Network([Dense(1, 1)]), "squared_error")
    with pytest.raises(ValueError, match=told):
        trainer.fit(x, t, epochs=1)
    with pytest.raises(ValueError, match=told):
        trainer.fit(x, np.ones(2), validation_data=(t, np.ones(2)), epochs=1)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("asked", ["numpy", "torch", "array_api_strict"])
def test_a_backend_refuses_the_arrays_of_another(library, asked):
    x = column(library)
    if asked == library:
        assert backends.get(asked, like=(x,)).name == library
    else:
        with pytest.raises(ValueError, match=f"backend='{asked}': arrays of {library} came in"):
            backends.get(asked, like=(x,))


@pytest.mark.parametrize(("device", "has"), [("no_float64", "float32"), ("no_x64", "float32")])
def test_a_device_without_double_precision_says_so(device, has):
    pytest.importorskip("array_api_strict")
    backend = backends.get("array_api_strict", device)
    with pytest.raises(ValueError, match=r"dtype='float64'.*Pass dtype='float32'"):
        backend.dtype("float64")
    assert backend.dtype(has) == backend.xp.float32
    x = np.ones((3, 1))
    trainer = Trainer(Network([Dense(1, 1)]), "squared_error", backend=backend.name, device=device)
    with pytest.raises(ValueError, match="dtype='float64'"):
        trainer.fit(x, x, epochs=1)
    trainer.fit(x.astype(np.float32), x, epochs=1)
    assert trainer.state_.params.dtype == backend.xp.float32


def test_an_unknown_dtype_names_itself(backend):
    with pytest.raises(ValueError, match="dtype='float1'"):
        backend.dtype("float1")
