"""Sphinx extension: what the book needs to be read from disk, and nothing that it cannot use.

Jupyter Book puts every script under a folder of `html_static_path` into every page; MathJax, a
megabyte, would block all of them. So the vendored scripts are added here, where Jupyter Book does
not look, and pages with equations load MathJax by `mathjax_path`.
"""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.config import Config


def serve(app: Sphinx, config: Config) -> None:
    """Copy `_vendor` beside `_static`."""
    config.html_static_path.append("_vendor")


def drop_thebe(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Leave out the scripts that would run cells on a server elsewhere; the book has no button."""
    context["script_files"] = [
        script
        for script in context["script_files"]
        if "thebe" not in f"{script.filename} {script.attributes.get('body', '')}".lower()
    ]


def setup(app: Sphinx) -> dict[str, bool]:
    """Every page can sort its tables."""
    app.connect("config-inited", serve)
    app.connect("html-page-context", drop_thebe, 900)
    app.add_js_file("tablesort/tablesort.min.js", loading_method="defer")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
