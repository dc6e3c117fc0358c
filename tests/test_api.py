"""The pages on the code: every module is on the page of its room, and the drawing is checked."""

import re
import tomllib

import pytest
from conftest import REPOSITORY

PAGES = sorted((REPOSITORY / "book" / "api").glob("*.md"))
# Modules at the top of the package stand on the page of the room that they belong to.
AT_THE_TOP = {"findings": "data", "workspace": "study"}
# Helpers that serve other modules only; the commands have their `--help`.
ON_NO_PAGE = {
    "__main__",
    "data.memory_map",
    "data.nih_tables",
    "phantom.anatomy",
    "phantom.blocks",
    "phantom.command",
    "phantom.devices",
    "phantom.frame",
    "phantom.histories",
    "phantom.layers",
    "phantom.mediastinum",
    "phantom.mimics",
    "phantom.opacities",
    "phantom.physics",
    "phantom.plainfiles",
    "phantom.pleura",
    "phantom.signatures",
    "phantom.skeleton",
    "phantom.streams",
    "phantom.tables",
    "phantom.trunk",
    "phantom.vessels",
    "training.checked_dataclasses",
    "training.progress",
}


def modules() -> set[str]:
    """Every module of the package, without the package's name."""
    root = REPOSITORY / "chestkd"
    paths = (path.relative_to(root).with_suffix("") for path in root.rglob("*.py"))
    return {".".join(path.parts) for path in paths if path.name != "__init__"}


def on_page(page) -> list[str]:
    return re.findall(r"automodule:: chestkd\.(\S+)", page.read_text(encoding="utf-8"))


def test_every_module_is_on_one_page_or_known_as_a_helper():
    named = [name for page in PAGES for name in on_page(page)]
    assert len(named) > 40
    assert len(set(named)) == len(named)
    listed = set(named) | ON_NO_PAGE
    gone, new = sorted(listed - modules()), sorted(modules() - listed)
    assert listed == modules(), f"gone: {gone}; on no page: {new}"
    assert ON_NO_PAGE.isdisjoint(named)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_a_room(page):
    rooms = {AT_THE_TOP.get(name, name.split(".")[0]) for name in on_page(page)}
    assert rooms == {page.stem}
    headings = re.findall(r"^## chestkd\.(\S+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert headings == on_page(page)


def test_the_overview_names_what_the_pages_cover():
    overview = (REPOSITORY / "book" / "api.md").read_text(encoding="utf-8")
    contents = (REPOSITORY / "_toc.yml").read_text(encoding="utf-8")
    pages = re.findall(r"^\| \{doc\}`api/(\w+)`", overview, re.MULTILINE)
    assert sorted(pages) == [page.stem for page in PAGES]
    assert re.findall(r"- file: api/(\w+)", contents) == pages
    for page in PAGES:
        (row,) = [line for line in overview.splitlines() if f"{{doc}}`api/{page.stem}`" in line]
        named = [name.removeprefix(f"{page.stem}.") for name in on_page(page)]
        assert re.findall(r"`([\w.]+)`", row.split("|", 2)[2]) == named


def test_the_drawing_of_the_floors_is_the_contract():
    text = (REPOSITORY / "book" / "architecture.md").read_text(encoding="utf-8")
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    (drawing,) = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    floors = [re.findall(r"\w+", line.replace(", notebooks", "")) for line in drawing.splitlines()]
    assert floors == [re.findall(r"\w+", layer) for layer in layers]
    rooms = {room for floor in floors for room in floor} - {"__main__"}
    first_cells = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(first_cells))) == rooms
