"""The documentation site: `scripts/docs` builds it."""

from __future__ import annotations

import warnings

from sphinx_gallery.sorting import FileNameSortKey

import xpnet

project = "xpnet"
author = copyright = "the xpnet developers"
release = version = xpnet.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery"]
templates_path = ["_templates"]
suppress_warnings = ["config.cache"]  # functions in sphinx_gallery_conf
nitpicky = False

myst_heading_anchors = 3
autosummary_generate = True
autodoc_typehints = "none"  # the docstrings say more
numpydoc_show_class_members = False

html_theme = "pydata_sphinx_theme"
html_title = "xpnet"
ALONE = ("start", "switch", "scikit-learn", "searches", "large-data", "parity", "benchmarks")
ALONE += ("extending", "many-processes")
html_sidebars = {page: [] for page in ALONE}  # they have no pages below them
html_static_path = ["_static"]
html_css_files = ["xpnet.css"]
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "navbar_persistent": ["search-button"],
    "header_links_before_dropdown": 10,
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "tango",
    "footer_start": ["copyright"],
    "footer_end": [],
}

sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "tutorials",
    "within_subsection_order": FileNameSortKey,
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "plot_gallery": "True",
    "notebook_images": False,
    "first_notebook_cell": "%pip install --quiet 'xpnet[plots]'",
}

warnings.filterwarnings("error", module="xpnet")


def _skip(app, what, name, member, skip, options):
    """Leave out what xpnet's classes inherit from scikit-learn, whose own pages have it."""
    function = getattr(member, "fget", None) or member
    module = getattr(function, "__module__", None) or "xpnet"
    return True if module.split(".")[0] == "sklearn" else None


def setup(app):
    app.connect("autodoc-skip-member", _skip)
