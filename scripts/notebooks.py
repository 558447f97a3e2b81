"""Makes a notebook of each tutorial's page, as the site offers it, and runs it from top to bottom.

    python scripts/notebooks.py     # writes out/notebooks; needs the extra docs

The cell that installs xpnet is left out: what is installed is what is tested.
"""

from __future__ import annotations

import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from sphinx_gallery.notebook import jupyter_notebook, save_notebook
from sphinx_gallery.py_source_parser import split_code_and_text_blocks

ROOT = Path(__file__).parents[1]
GALLERY, OUT = ROOT / "docs" / "gallery", ROOT / "out" / "notebooks"
CONF = {"first_notebook_cell": None, "last_notebook_cell": None, "notebook_images": False}


def notebook(page: Path) -> Path:
    """Write the notebook of a page; return its path."""
    from sphinx_gallery.gen_gallery import DEFAULT_GALLERY_CONF

    _, blocks = split_code_and_text_blocks(str(page))
    found = jupyter_notebook(blocks, DEFAULT_GALLERY_CONF | CONF, str(GALLERY))
    path = OUT / f"{page.stem}.ipynb"
    save_notebook(found, path)
    return path


def run(cells: nbformat.NotebookNode) -> None:
    """Run a notebook with this very Python."""
    NotebookClient(cells, timeout=300, kernel_name="python3").execute(cwd=str(OUT))


def main() -> None:
    """Run all notebooks; an error in a cell ends it."""
    OUT.mkdir(parents=True, exist_ok=True)
    pages = sorted(GALLERY.glob("plot_*.py"))
    if not pages:
        raise SystemExit(f"no pages in {GALLERY}")
    for page in pages:
        began = time.perf_counter()
        path = notebook(page)
        cells = nbformat.read(path, as_version=4)
        run(cells)
        nbformat.write(cells, path)
        print(f"{path.relative_to(ROOT)}: {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
