"""The pages of the library: every module is there, and docstrings become what they look like."""

import importlib.util
import re
from dataclasses import dataclass

import pytest
from conftest import REPOSITORY

PAGES = sorted((REPOSITORY / "book" / "api").glob("*.md"))


@pytest.fixture(scope="module")
def extension():
    path = REPOSITORY / "book" / "_ext" / "chestkd_docstrings.py"
    specification = importlib.util.spec_from_file_location("chestkd_docstrings", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@dataclass
class Example:
    """Two fields."""

    # What `size * 2` is made of, a * b or `None | 1`;
    # more of it.
    size: int
    # Nothing belongs to a comment that an empty line parts from its field.

    plain: float = 1.0
    behind: str = "x"  # (R, P) int16

    def method(self) -> None:
        # Not a field.
        inner: int = 1
        print(inner)


def test_fields_carry_the_comments_above_and_behind_them(extension):
    assert extension.fields(Example) == [
        "* ``size``: What `size * 2` is made of, a \\* b or `None | 1`; more of it.",
        "* ``plain``",
        "* ``behind``: (R, P) int16",
    ]


def test_google_sections_become_lists(extension):
    lines = [
        "Sum.",
        "",
        "Args:",
        "    one: first",
        "        and more.",
        "    two: second.",
        "",
        "End.",
    ]
    assert extension.sections_as_lists(lines) == [
        "Sum.", "", "Arguments:", "", "* ``one``: first", "  and more.", "* ``two``: second.", "",
        "End.",
    ]  # fmt: skip


def test_listings_stay_as_they_are_written(extension):
    lines = ["Files:", "", "    a.json  what", "    b.csv   that", "", "End."]
    assert extension.listings_as_written(lines) == [
        "Files:", "", "::", "", "    a.json  what", "    b.csv   that", "", "End.",
    ]  # fmt: skip


def test_every_module_of_the_pages_exists_and_stands_once():
    named = [
        name
        for page in PAGES
        for name in re.findall(r"automodule:: (\S+)", page.read_text(encoding="utf-8"))
    ]
    assert len(named) > 40
    assert len(set(named)) == len(named)
    files = [REPOSITORY.joinpath(*name.split(".")).with_suffix(".py") for name in named]
    assert not [file for file in files if not file.is_file()]


def test_the_overview_names_what_the_pages_hold():
    overview = (REPOSITORY / "book" / "api.md").read_text(encoding="utf-8")
    for page in PAGES:
        (row,) = [line for line in overview.splitlines() if f"{{doc}}`api/{page.stem}`" in line]
        modules = re.findall(r"automodule:: chestkd\.(\S+)", page.read_text(encoding="utf-8"))
        assert re.findall(r"`([\w.]+)`", row.split("|", 2)[2]) == modules
