"""Autodoc shows the code as it is meant: comments of fields, lists and listings."""

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml
from conftest import REPOSITORY
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

SECTION = re.compile(r"(Args|Attributes|Raises|Returns):")
MODULES = sorted((REPOSITORY / "chestkd").rglob("*.py"))

EXAMPLE = '''
from dataclasses import dataclass


@dataclass
class Example:
    """Fields, a list and a listing.

    - `one`: first
      and more.

    Files::

        a.json  what
        b.csv   that
    """

    #: What `size * 2` is made of, a * b or `None | 1`;
    #: more of it.
    size: int
    #: Nothing belongs to a comment that an empty line parts from its field.

    plain: float = 1.0
    behind: str = "x"  #: (R, P) int16
'''


def text(page: Path) -> str:
    """What a reader sees, one space for every gap."""
    return " ".join(re.sub(r"<[^>]*>", "", page.read_text(encoding="utf-8")).split())


def test_the_book_shows_comments_lists_and_listings(tmp_path, monkeypatch):
    book = yaml.safe_load((REPOSITORY / "_config.yml").read_text(encoding="utf-8"))["sphinx"]
    source, built = tmp_path / "source", tmp_path / "built"
    source.mkdir()
    (source / "example_fields.py").write_text(EXAMPLE)
    (source / "index.md").write_text(
        "# Book\n\n```{eval-rst}\n.. automodule:: example_fields\n   :members:\n```\n"
    )
    monkeypatch.syspath_prepend(source)
    settings = {name: value for name, value in book["config"].items() if "html" not in name}
    settings |= {
        "extensions": ["myst_parser", *book["extra_extensions"]],
        "html_theme": "basic",
        "nitpicky": True,
    }
    for name in ("templates_path", "mathjax_path", "nb_merge_streams", "bibtex_reference_style"):
        settings.pop(name)
    # What one book registers with docutils, the next would find there.
    with docutils_namespace():
        application = Sphinx(
            source, None, built, tmp_path / "trees", "html", settings, status=None,
            warningiserror=True,
        )  # fmt: skip
        application.build()
    assert application.statuscode == 0
    shown = text(built / "index.html")
    assert "size: int¶ What size * 2 is made of, a * b or None | 1; more of it." in shown
    assert "behind: str = 'x'¶ (R, P) int16" in shown
    assert "plain: float = 1.0," in shown
    assert "empty line parts" not in shown
    assert "one: first and more." in shown
    assert "<pre>a.json  what\nb.csv   that" in re.sub(
        r"</?span[^>]*>", "", (built / "index.html").read_text()
    )
    sys.modules.pop("example_fields", None)


def dataclasses(tree: ast.Module) -> list[ast.ClassDef]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)
    ]


def hidden_comments(source: str) -> list[str]:
    """Comments above or behind the fields of dataclasses that autodoc passes over."""
    lines = source.splitlines()
    hidden = []
    for node in dataclasses(ast.parse(source)):
        for field in node.body:
            if isinstance(field, ast.AnnAssign):
                above = lines[field.lineno - 2].strip()
                behind = lines[field.end_lineno - 1][field.end_col_offset :].strip()
                hidden += [text for text in (above, behind) if re.match(r"#(?!:| fmt:)", text)]
    return hidden


def unmarked(source: str) -> list[str]:
    """Lines of docstrings that head a section, or a listing without "::"."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    found = []
    for node in ast.walk(ast.parse(source)):
        text = (isinstance(node, documented) and ast.get_docstring(node)) or ""
        lines = text.splitlines()
        found += [line for line in lines if SECTION.fullmatch(line)]
        for before, blank, line in zip(lines, lines[1:], lines[2:], strict=False):
            opens = line.startswith("    ") and not blank and not before.startswith("    ")
            if opens and not before.endswith("::"):
                found.append(line)
    return found


def test_what_autodoc_would_pass_over_is_recognized():
    assert hidden_comments(EXAMPLE) == []
    assert hidden_comments(EXAMPLE.replace("#:", "#")) == ["# more of it.", "# (R, P) int16"]
    assert unmarked(EXAMPLE) == []
    assert unmarked(EXAMPLE.replace("::", ":")) == ["    a.json  what"]
    assert unmarked(EXAMPLE.replace("Files::", "Args:")) == ["Args:", "    a.json  what"]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.stem)
def test_nothing_that_is_explained_is_hidden(module):
    source = module.read_text(encoding="utf-8")
    assert hidden_comments(source) == []
    assert unmarked(source) == []
