"""A run that is killed, again and again, is in the end the one that never was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(os.name != "posix", reason="processes are killed in POSIX's way")
@pytest.mark.parametrize("kind", ["trainer", "estimator"])
def test_a_run_that_is_killed_goes_on_bit_for_bit(tmp_path, kind):
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, Path(__file__).with_name("killed.py"), tmp_path, kind]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    reached = json.loads(done.stdout)
    assert len(reached) >= 14
    assert min(reached) == -1  # before the first write
    assert len(set(reached)) > 5
