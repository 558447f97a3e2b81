"""The README's Python blocks run as they stand, and give what their comments say."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np

README = Path(__file__).parents[1] / "README.md"


def test_the_blocks_run_and_their_comments_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    names: dict = {}
    checked = 0
    for block in blocks:
        exec(block, names)
        for expression, comment in re.findall(r"^(\S[^#\n]*?)  # (.+)$", block, re.M):
            try:
                expected = ast.literal_eval(comment)
                ast.parse(expression, mode="eval")
            except (SyntaxError, ValueError):
                continue
            np.testing.assert_allclose(eval(expression, names), expected, atol=5e-4)
            checked += 1
    assert len(blocks) == 3
    assert checked == 3
