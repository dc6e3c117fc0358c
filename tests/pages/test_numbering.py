"""Numbers and references of tables, figures and equations, on small books of Sphinx alone."""

import html
import io
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace

from chestkd.pages import html as display
from chestkd.pages import map_panels

sys.path.append(str(REPOSITORY / "book" / "_ext"))


def table(name: str, caption: str = "A & B.") -> str:
    frame = pd.DataFrame({"finding": ["Hernia", "Mass"], "auc": [0.5, 0.25]})
    return display.table(frame, name=name, caption=caption, source="PHANTOM").data


def figure(name: str) -> str:
    return (
        f'<figure class="chestkd-figure" id="{name}"><img alt="" src="data:,"><figcaption>Drawn. '
        '<span class="chestkd-source">PHANTOM</span></figcaption></figure>'
    )


def book(folder: Path, **pages: str) -> tuple[dict[str, str], str]:
    """Pages (names with __ for /) as HTML, in the order given, and the warnings."""
    names = [name.replace("__", "/") for name in pages]
    source = folder / "source"
    toctree = "\n".join(["# Book", "", "```{toctree}", *names, "```", ""])
    for name, text in {"index": toctree, **dict(zip(names, pages.values(), strict=True))}.items():
        path = source / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    warnings = io.StringIO()
    settings = {
        "extensions": ["myst_parser", "chestkd_numbering"],
        "myst_enable_extensions": ["dollarmath"],
        "html_theme": "basic",
        "numfig": True,
        "numfig_secnum_depth": 0,
        "nitpicky": True,
    }
    built = folder / "built"
    # What one book registers with docutils, the next would find there.
    with docutils_namespace():
        Sphinx(
            source, None, built, folder / "trees", "html", settings, status=None, warning=warnings
        ).build()
    return {name: (built / f"{name}.html").read_text() for name in names}, warnings.getvalue()


def links(page: str) -> list[tuple[str, str]]:
    """Addresses and words of the references in a page's text."""
    found = re.findall(r'<a class="reference internal" href="([^"]*#[^"]*)"[^>]*>(.*?)</a>', page)
    return [(address, html.unescape(re.sub("<[^>]*>", "", words))) for address, words in found]


def test_numbers_follow_the_table_of_contents_and_runs_count_alone(tmp_path):
    pages, warnings = book(
        tmp_path,
        notebooks__one=f"# One\n\n{table('first')}\n\n{figure('drawn')}\n",
        notebooks__runs__a=f"# Run a\n\n{table('a-auc')}\n",
        notebooks__runs__b=f"# Run b\n\n{table('b-auc')}\n",
        notebooks__two=f"# Two\n\n{table('second')}\n",
    )
    assert warnings == ""
    shown = {
        name: re.findall(r'class="caption-number">([^<]*)<', page) for name, page in pages.items()
    }
    assert shown == {
        "notebooks/one": ["Table M1.", "Figure M1."],
        "notebooks/runs/a": ["Table R1."],
        "notebooks/runs/b": ["Table R2."],
        "notebooks/two": ["Table M2."],
    }
    assert "</span> A &amp; B." in pages["notebooks/one"]
    assert pages["notebooks/one"].count('id="first"') == 1
    assert 'href="#first" title="Link to Table M1"' in pages["notebooks/one"]


def test_references_show_the_number_from_anywhere(tmp_path):
    pages, warnings = book(
        tmp_path,
        before="# Before\n\n{numref}`second`, {ref}`second`, [](#second), [words](#second), "
        "{numref}`drawn`.\n",
        page=f"# Page\n\n{table('first')}\n\n{table('second')}\n\n{figure('drawn')}\n\n"
        "See [](#second).\n",
    )
    assert warnings == ""
    address = "page.html#second"
    assert links(pages["before"]) == [
        (address, "Table M2"),
        (address, "Table M2"),
        (address, "Table M2"),
        (address, "words"),
        ("page.html#drawn", "Figure M1"),
    ]
    assert ("#second", "Table M2") in links(pages["page"])


def test_equations_are_numbered(tmp_path):
    pages, warnings = book(
        tmp_path,
        one="# One\n\n$$ a = b $$ (first)\n\n$$ c = d $$ (second)\n",
        two="# Two\n\n{eq}`second` and [](#first)\n",
    )
    assert warnings == ""
    assert ("one.html#equation-second", "(2)") in links(pages["two"])
    assert "(1)" in dict(links(pages["two"]))["one.html#equation-first"]


@pytest.mark.parametrize("reference", ["{numref}`unknown`", "[](#unknown)", "{ref}`unknown`"])
def test_an_unknown_name_is_a_warning(tmp_path, reference):
    _, warnings = book(tmp_path, page=f"# Page\n\n{reference}\n\n{table('known')}\n")
    assert "unknown" in warnings
    assert "page.md:3" in warnings


def test_a_name_can_be_given_once(tmp_path):
    _, warnings = book(
        tmp_path, one=f"# One\n\n{table('same')}\n", two=f"# Two\n\n{table('same')}\n"
    )
    assert "two: the name 'same' is taken in one" in warnings
    _, warnings = book(tmp_path / "heading", page=f"# Page\n\n## Same\n\n{table('same')}\n")
    assert "page: the name 'same' is taken, perhaps by a heading" in warnings


def test_saliency_maps_are_figures_and_cells_are_found_one_by_one(tmp_path):
    panel = map_panels.Panel(title="CAM", note="predicted 0.41", image=np.zeros((4, 4), np.uint8))
    maps = map_panels.switcher([[panel]], name="maps", caption="Maps.", source="PHANTOM").data
    pages, warnings = book(tmp_path, page=f"# Page\n\n{maps}\n\n{table('cells')}\n")
    assert warnings == ""
    assert 'caption-number">Figure M1.' in pages["page"]
    index = (tmp_path / "built" / "searchindex.js").read_text()
    # The search takes word stems; neighboring cells must not run together.
    assert re.search(r'"hernia": \d', index)
    assert not re.search(r'"(hernia\w+|auchernia)"', index)
