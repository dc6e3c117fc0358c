"""The published edition: it matches its sources, stays small, and builds offline."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import REPOSITORY

from chestkd.pages import edition

BOOK = REPOSITORY / "book"
NOTEBOOKS = sorted((BOOK / "notebooks").rglob("*.ipynb"))
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
    program = Path(sys.prefix, "bin", "jupyter-book")
    # As the README has it, `jupyter-book build book`, beside a copy of the configuration.
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy2(REPOSITORY / name, tmp_path / name)
    ignored = shutil.ignore_patterns("_build")
    shutil.copytree(BOOK, tmp_path / "book", symlinks=True, ignore=ignored)
    done = subprocess.run(
        [str(program), "build", "book", "-W", "-n", "--keep-going"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    pages = sorted((tmp_path / "book" / "_build" / "html").rglob("*.html"))
    assert len(pages) > len(NOTEBOOKS)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert 'src="http' not in text, page
        assert page.stat().st_size < 3_000_000, page
