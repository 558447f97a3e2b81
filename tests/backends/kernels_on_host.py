"""CuPy's kernels on the processor: traced by CuPy, compiled by g++, run on NumPy's memory."""

from __future__ import annotations

import ctypes
import re
import subprocess

import numpy as np
from cupy_tracer import nowhere

_BEGIN = """
#include <algorithm>
#include <cmath>
#include <cstdlib>
#define __device__
using namespace std;
"""
_LOOP = """
extern "C" void kernel(long n, int ndim, long *shape, char **arrays, long *strides) {
    for (long i = 0; i < n; ++i) {
        long rest = i, offset[%d] = {0};
        for (int d = ndim - 1; d >= 0; --d) {
            for (int k = 0; k < %d; ++k) offset[k] += rest %% shape[d] * strides[k * ndim + d];
            rest /= shape[d];
        }
        %s
        %s
    }
}
"""
_TYPES = {
    "bool": "bool",
    "float32": "float",
    "float64": "double",
    "int32": "int",
    "int64": "long long",
    "uint8": "unsigned char",
}


class HostKernels:
    """Makes and keeps kernels of operations.

    Parameters
    ----------
    folder : Path
    trace : callable
        ``trace(ops, arrays)`` returns CuPy's kernel.
    """

    def __init__(self, folder, trace):
        self.folder, self.trace, self.made = folder, trace, {}

    def run(self, ops, *arrays):
        """Run the kernel of some operations, element after element."""
        key = ops, *((a.dtype.name, a.ndim) for a in arrays)
        if key not in self.made:
            self.made[key] = self._compiled(ops, arrays)
        shape = np.broadcast_shapes(*(a.shape for a in arrays))
        strides = [s for a in arrays for s in np.broadcast_to(a, shape).strides]
        addresses = (ctypes.c_void_p * len(arrays))(*(a.ctypes.data for a in arrays))
        self.made[key](
            ctypes.c_long(int(np.prod(shape))),
            len(shape),
            (ctypes.c_long * max(1, len(shape)))(*shape),
            addresses,
            (ctypes.c_long * max(1, len(strides)))(*strides),
        )

    def _compiled(self, ops, arrays):
        kernel = self.trace(ops, [nowhere((2,) * a.ndim, a.dtype) for a in arrays])
        params = [p for p in kernel.params if p.name != "_ind"]
        types = [_TYPES[p.dtype.name] for p in params]
        given = "".join(
            f"{kind} &{p.name} = *({kind} *)(arrays[{k}] + offset[{k}]);\n"
            for k, (p, kind) in enumerate(zip(params, types, strict=True))
        )
        functions = re.sub(r'#include "cupy.*', "", kernel.preamble)
        loop = _LOOP % (len(params), len(params), given, kernel.operation)
        path = self.folder / f"kernel{len(self.made)}.cpp"
        path.write_text(_BEGIN + functions + loop)
        compiler = ["g++", "-O0", "-w", "-shared", "-fPIC", "-o"]
        subprocess.run([*compiler, path.with_suffix(".so"), path], check=True)
        return ctypes.CDLL(str(path.with_suffix(".so"))).kernel
