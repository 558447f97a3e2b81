"""The README's Python blocks run as they stand, and give what their comments say."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from xpnet import backends

README = Path(__file__).parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)


def run(block, names):
    """Run a block, and return how many of its comments were compared with what it gives."""
    exec(block, names)
    checked = 0
    for expression, comment in re.findall(r"^(\S[^#\n]*?)  # (.+)$", block, re.M):
        try:
            expected = ast.literal_eval(comment)
            ast.parse(expression, mode="eval")
        except (SyntaxError, ValueError):
            continue
        np.testing.assert_allclose(eval(expression, names), expected, atol=5e-4)
        checked += 1
    return checked


def test_the_blocks_run_and_their_comments_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    search, *others = BLOCKS
    assert "GridSearchCV" in search
    assert [run(block, names) for block in others] == [1, 1, 1]


@pytest.mark.parametrize("name", ["numpy", "jax"])
def test_the_search_runs_on_another_backend(name):
    if not backends.available()[name].usable:
        pytest.skip(f"backend {name!r} is not usable here")
    assert BLOCKS[0].count('backend="numpy"') == 1
    assert run(BLOCKS[0].replace('backend="numpy"', f'backend="{name}"'), {}) == 1


def test_the_korean_readme_is_in_step():
    """The same code, headings, pictures, tables and links to files."""
    english, korean = (
        path.read_text(encoding="utf-8") for path in (README, README.with_name("README.ko.md"))
    )
    for pattern in (
        r"```.*?```",
        r"^#+ ",
        r"^\|\s?`[a-z_]+`",
        r"^\|",
        r"\]\((?!README)[^#)]+\)",
        r"\d+\.\d+",
    ):
        flags = re.S if "```" in pattern else re.M
        ours, theirs = (re.findall(pattern, text, flags) for text in (english, korean))
        assert sorted(ours) == sorted(theirs), pattern
