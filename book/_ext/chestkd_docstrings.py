"""Sphinx extension: the project's docstrings as its code writes them.

Three habits of the code are plain text to autodoc. The fields of a specification are explained by
comments above them: they are appended to the class's docstring as a list. Some docstrings list
their arguments under "Args:" with deeper lines: those become lists. A listing or formula is set
off by a blank line and four spaces: it stays as it is written.
"""

import dataclasses
import inspect
import re
from typing import Any

from sphinx.application import Sphinx

# What reStructuredText would read as markup.
MARKUP = re.compile(r"([*|\\]|_(?=\W|$))")
FIELD = re.compile(
    r"    (?P<name>[a-z]\w*): (?P<type>[^=#]+?)(?: = (?P<default>.+?))?(?:  # (.*))?"
)
SECTIONS = ("Args:", "Attributes:", "Raises:", "Returns:")


def comments(source: str) -> dict[str, str]:
    """The comment above or behind each field of a class, by name; "" where there is none."""
    found: dict[str, str] = {}
    gathered: list[str] = []
    for line in source.splitlines():
        if line.startswith(("    def ", "    @")):
            break
        comment = re.fullmatch(r"    # ?(.*)", line)
        field = FIELD.fullmatch(line)
        if comment:
            gathered.append(comment[1].strip())
            continue
        if field:
            found[field["name"]] = " ".join([*gathered, field[4] or ""]).strip()
        gathered = []
    return found


def escaped(words: str) -> str:
    """Words without markup but for code in backticks, which keeps its own characters."""
    text = MARKUP.sub(r"\\\1", words)
    return re.sub(r"`[^`]*`", lambda code: code[0].replace("\\", ""), text)


def fields(cls: type) -> list[str]:
    """The list of a dataclass's fields."""
    explained = comments(inspect.getsource(cls))
    shown = []
    for field in dataclasses.fields(cls):
        words = escaped(explained.get(field.name, ""))
        shown.append(f"* ``{field.name}``" + (f": {words}" if words else ""))
    return shown


def sections_as_lists(lines: list[str]) -> list[str]:
    """Lines under "Args:" and the like, one entry with its deeper lines, as list items."""
    shown: list[str] = []
    inside = False
    for line in lines:
        if line in SECTIONS:
            inside = True
            shown += [line.replace("Args", "Arguments"), ""]
        elif inside and (entry := re.fullmatch(r"    (\w+): (.*)", line)):
            shown.append(f"* ``{entry[1]}``: {entry[2]}")
        elif inside and line.startswith("     "):
            shown.append("  " + line.strip())
        else:
            inside = inside and not line.strip()
            shown.append(line)
    return shown


def listings_as_written(lines: list[str]) -> list[str]:
    """Mark what is set off by a blank line and four spaces as literal."""
    shown: list[str] = []
    for number, line in enumerate(lines):
        starts = line.startswith("    ") and number > 1 and not lines[number - 1].strip()
        if starts and not lines[number - 2].startswith(("    ", "* ", "  ")):
            shown += ["::", ""]
        shown.append(line)
    return shown


def rewrite(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Change a docstring's lines in place."""
    lines[:] = listings_as_written(sections_as_lists(lines))
    if what == "class" and dataclasses.is_dataclass(obj):
        lines += ["", "Fields:", "", *fields(obj), ""]


def setup(app: Sphinx) -> dict[str, bool]:
    """Listen to autodoc."""
    app.connect("autodoc-process-docstring", rewrite)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
