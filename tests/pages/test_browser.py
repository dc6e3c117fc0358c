"""The book in a browser, opened from disk: every page, and everything a reader can operate."""

import functools
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import browsing
import nbformat
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with browsing.chromium() as started:
        yield started


@pytest.fixture(scope="module")
def book(browser, tmp_path_factory) -> Path:
    return browsing.built_book(tmp_path_factory.mktemp("book"))


@pytest.fixture(scope="module")
def visits(browser, book) -> list[browsing.Visit]:
    pages = [str(page.relative_to(book)) for page in sorted(book.rglob("*.html"))]
    pages = [page for page in pages if not page.startswith("_static")]
    assert len(pages) > 15
    # The pages of one strategy's runs are made by one notebook: axe examines the first.
    first = {kind_of(page): page for page in reversed(pages)}
    return [browsing.visit(browser, book, page, axe=first[kind_of(page)] == page) for page in pages]


def kind_of(page: str) -> str:
    """The strategy of a run's page, any other page itself."""
    return page.split("-")[0] if page.startswith("notebooks/runs/") else page


@pytest.fixture
def opened(browser, book):
    """A function that opens a page of the book; the page may say no error."""
    context = browser.new_context(viewport=browsing.WIDE, reduced_motion="reduce")
    page = context.new_page()
    found = browsing.listen(page)

    def goto(name: str, query: str = ""):
        page.goto((book / name).as_uri() + query)
        return page

    yield goto
    context.close()
    assert found.errors == []


def named(visits, of) -> dict[str, object]:
    """What a function finds on each page, by the page's name, where it finds anything."""
    return {visit.name: found for visit in visits if (found := of(visit))}


def test_no_page_reports_an_error(visits):
    assert named(visits, lambda visit: visit.errors) == {}


def test_no_page_asks_another_machine_for_anything(visits):
    def outside(visit):
        return [each for each in visit.requests if not each.startswith(("file:", "data:"))]

    assert all(visit.requests for visit in visits)
    assert named(visits, outside) == {}


def test_no_page_is_wider_than_a_phone(visits):
    assert named(visits, lambda visit: visit.overflow) == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_violation(visits, scheme):
    examined = [visit for visit in visits if visit.violations]
    assert len(examined) > 15
    assert named(examined, lambda visit: visit.violations[scheme]) == {}


def test_every_link_inside_the_book_leads_somewhere(visits):
    anchors = functools.cache(browsing.anchors)

    def broken(visit):
        def leads(link: str) -> bool:
            file, place = browsing.file_of(link), unquote(urlsplit(link).fragment)
            return file.is_file() and (not place or place in anchors(file))

        return [link for link in visit.links if link.startswith("file:") and not leads(link)]

    assert sum(len(visit.links) for visit in visits) > 500
    assert named(visits, broken) == {}


def test_every_page_is_light(visits, capsys):
    weights = sorted(
        ((visit.path.stat().st_size, visit.shared_bytes(), visit.name) for visit in visits),
        reverse=True,
    )
    with capsys.disabled():
        print("\npage with its figures (kB)   scripts, styles and fonts of the book (kB)")
        for own, shared, name in weights:
            print(f"{own / 1e3:8.0f}{shared / 1e3:8.0f}  {name}")
    assert weights[0][0] < 3_000_000


def test_a_notebook_can_be_downloaded(browser, book, tmp_path):
    # From a server, as a browser shows a file of text on disk rather than save it a second time.
    page = browser.new_page(viewport=browsing.WIDE, reduced_motion="reduce")
    with browsing.served(book) as address, page.expect_download() as started:
        page.goto(f"{address}/notebooks/table-1.html")
        page.locator(".dropdown-download-buttons > button").click()
        page.locator("a.btn-download-source-button").click()
    started.value.save_as(tmp_path / "table-1.ipynb")
    page.close()
    assert started.value.suggested_filename == "table-1.ipynb"
    cells = nbformat.read(tmp_path / "table-1.ipynb", as_version=4).cells
    assert any("html.table(" in cell.source for cell in cells)


def test_the_name_of_a_finding_is_found(opened):
    page = opened("index.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("Hernia")
    page.keyboard.press("Enter")
    # Hits appear one after another.
    page.wait_for_selector("#search-results li a[href*='table-3.html']")
    page.locator("#search-results li a").first.click()
    page.wait_for_selector("article h1")
    assert "hernia" in page.content().lower()
    page = opened("search.html", "?q=unfindable")
    page.wait_for_function("document.querySelector('#search-results p')?.textContent.trim()")
    assert page.locator("#search-results li").count() == 0


def column(page, table: str, index: int) -> list[str]:
    """The texts of a column's cells that are shown."""
    return page.eval_on_selector_all(
        f"#{table} tbody tr:not([hidden])",
        f"rows => rows.map(row => row.cells[{index}].textContent.trim())",
    )


def test_a_table_sorts_by_numbers_from_the_keyboard(opened):
    page = opened("notebooks/table-3.html")
    headings = page.locator("#table-3 th").all_text_contents()
    index = max(at for at, text in enumerate(headings) if "PHANTOM" in text)
    heading = page.locator("#table-3 th").nth(index)
    original = column(page, "table-3", index)
    findings = column(page, "table-3", 0)
    assert findings[-1] == "Mean"
    heading.locator("button").focus()
    page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    cells = column(page, "table-3", index)[:-1]
    values = [float(cell.split()[0]) for cell in cells if not cell.startswith("n/a")]
    assert values == sorted(values)
    assert all(cell.startswith("n/a") for cell in cells[len(values) :])
    page.keyboard.press("Space")
    assert heading.get_attribute("aria-sort") == "descending"
    cells = column(page, "table-3", index)[:-1]
    values = [float(cell.split()[0]) for cell in cells if not cell.startswith("n/a")]
    assert values == sorted(values, reverse=True)
    assert column(page, "table-3", 0)[-1] == "Mean"
    page.locator("#table-3 .chestkd-reset").click()
    assert column(page, "table-3", index) == original
    assert page.locator("#table-3 [aria-sort]").count() == 0
    page.locator("#table-3 th button").first.click()
    assert column(page, "table-3", 0) == [*sorted(findings[:-1]), "Mean"]


def test_a_table_filters_by_words(opened):
    page = opened("notebooks/table-3.html")
    filtered = page.locator("#table-3").get_by_label("Filter rows")
    filtered.fill("fib")
    assert column(page, "table-3", 0) == ["Fibrosis"]
    assert page.locator("#table-3 output").text_content() == "1 of 15 rows"
    filtered.fill("")
    assert len(column(page, "table-3", 0)) == 15


def test_a_table_is_whole_without_scripts(browser, book):
    context = browser.new_context(java_script_enabled=False, viewport=browsing.PHONE)
    page = context.new_page()
    page.goto((book / "notebooks" / "table-3.html").as_uri())
    assert page.locator("#table-3 tbody tr:visible").count() == 15
    assert page.get_by_label("Filter rows").count() == 0
    with page.expect_download() as started:
        page.locator("#table-3 a", has_text="CSV").click()
    assert started.value.suggested_filename == "table-3.csv"
    context.close()


def test_the_switch_works_from_the_keyboard(opened):
    page = opened("notebooks/figure-4.html")
    for view, key in (("map", None), ("overlay", "ArrowRight"), ("radiograph", "ArrowRight")):
        if key:
            page.keyboard.press(key)
        else:
            page.locator("#figure-4-map").focus()
        for each in ("radiograph", "map", "overlay"):
            picture = page.locator(f"#figure-4 .stack:not(.alone) .view-{each}").first
            assert picture.is_visible() == (each == view), (each, view)


def test_a_figure_enlarges_and_gives_the_focus_back(opened):
    page = opened("notebooks/data.html")
    figure = page.locator("#label-counts")
    small = figure.locator("img").bounding_box()["width"]
    figure.get_by_role("button", name="Enlarge Figure").focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog[open]")
    large = dialog.locator("img").bounding_box()["width"]
    assert large > 1.15 * small
    assert dialog.locator("img").get_attribute("alt") == figure.locator("img").get_attribute("alt")
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog[open]", state="detached")
    assert page.evaluate("document.activeElement.closest('figure').id") == "label-counts"
    figure.locator("img").click()
    assert page.locator("dialog[open]").count() == 1
    page.get_by_role("button", name="Close").click()
    page.wait_for_selector("dialog[open]", state="detached")


def test_saliency_maps_enlarge_with_their_switch(opened):
    page = opened("notebooks/figure-4.html")
    page.locator("#figure-4-overlay").check(force=True)
    page.locator("#figure-4").get_by_role("button", name="Enlarge").click()
    dialog = page.locator("dialog[open]")
    panel = dialog.locator(".stack:not(.alone)").first
    assert panel.locator(".view-overlay").is_visible()
    dialog.get_by_text("radiograph", exact=True).click()
    assert panel.locator(".view-radiograph").is_visible()
    assert not panel.locator(".view-overlay").is_visible()
    fitting = panel.bounding_box()["width"]
    dialog.get_by_role("button", name="Full size").click()
    assert panel.bounding_box()["width"] > 1.3 * fitting
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog[open]", state="detached")
    # The switch on the page is where it was.
    assert page.locator("#figure-4-overlay").is_checked()


def test_the_color_mode_can_be_chosen(opened):
    page = opened("notebooks/table-1.html")
    seen = set()
    for _ in range(3):
        page.locator("button.theme-switch-button:visible").click()
        seen.add(page.evaluate("document.documentElement.dataset.theme"))
    assert seen == {"light", "dark"}
