"""The published edition: it matches its sources, stays small, and builds offline."""

import re

import nbformat
import pytest
from browsing import build_edition
from conftest import REPOSITORY

from chestkd.pages import edition

BOOK = REPOSITORY / "book"
NOTEBOOKS = sorted((BOOK / "notebooks").rglob("*.ipynb"))
# Directives, options and roles of MyST, as they would stand in the text if they were not read.
MARKUP = re.compile(r":::|:(?:class|name|doc):|\{(?:doc|term|cite|eq|numref)\}")
RENEW = "renew the edition with `make edition` and commit book/notebooks"


def test_the_edition_matches_its_sources():
    assert NOTEBOOKS, RENEW
    assert edition.outdated() == [], RENEW


def test_every_page_of_the_table_of_contents_is_there():
    toc = (REPOSITORY / "_toc.yml").read_text(encoding="utf-8")
    pages = re.findall(r"file: (notebooks/\S+)", toc)
    missing = [page for page in pages if not (BOOK / f"{page}.ipynb").is_file()]
    assert not missing, RENEW


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_published_notebooks_say_phantom_and_name_no_machine(path):
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(text, as_version=4)
    assert not [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.output_type == "error"
    ]
    if path.stem != "paper-audit":
        assert "PHANTOM" in text
    assert "ChestX-ray14 (" not in text  # the name of the real data in captions
    assert not re.search(r"/(home|root|work|Users)/", text)


def test_the_edition_is_small():
    assert sum(path.stat().st_size for path in NOTEBOOKS) < 15_000_000


@pytest.mark.slow
def test_jupyter_book_builds_the_edition_offline(tmp_path):
    pages = sorted(build_edition(tmp_path).rglob("*.html"))
    assert len(pages) > len(NOTEBOOKS)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert 'src="http' not in text, page
        assert page.stat().st_size < 3_000_000, page
        assert unread_markup(text) == [], page


def unread_markup(page: str) -> list[str]:
    """Markup that a reader of the HTML would see, outside listings."""
    shown = re.sub(r"<(script|style|pre)\b.*?</\1>", "", page, flags=re.DOTALL)
    return MARKUP.findall(re.sub(r"<[^>]*>", " ", shown))


def test_markup_that_was_not_read_is_recognized():
    assert unread_markup("<p>Which? :class: tip. {doc}`a` :::</p>") == [":class:", "{doc}", ":::"]
    assert unread_markup("<pre>:::{tip}</pre><p class='x'>read <code>:x:</code></p>") == []
