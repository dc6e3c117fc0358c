"""What a browser sees of a built book: every page opened once, from disk."""

import functools
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from entry_points import REPOSITORY, run

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
# Without preloading: a page opened from disk may not read its own style sheets.
AXE = {"resultTypes": ["violations"], "preload": False}
# The rows of a table are made alike; axe takes half a minute for the contrast of all of them.
FEW_ROWS = ".chestkd-table tbody tr:nth-child(n + 9):not(:last-child) { display: none }"
# What changes with the color mode.
COLORS = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}


def build_edition(folder: Path) -> Path:
    """The published edition as HTML, by the README's command, beside a copy of the configuration.

    Warnings and broken references are errors.
    """
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy2(REPOSITORY / name, folder / name)
    ignored = shutil.ignore_patterns("_build", "__pycache__")
    shutil.copytree(REPOSITORY / "book", folder / "book", symlinks=True, ignore=ignored)
    program = Path(sys.prefix, "bin", "jupyter-book")
    run([str(program), "build", "book", "-W", "-n", "--keep-going"], folder)
    return folder / "book" / "_build" / "html"


def built_book(folder: Path) -> Path:
    """The book that CHESTKD_BOOK names, or else the published edition, built in `folder`."""
    named = os.environ.get("CHESTKD_BOOK")
    return Path(named).absolute() if named else build_edition(folder)


@contextmanager
def chromium() -> Iterator:
    """A browser of Playwright's, or a skipped test where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("no chromium, chromium-browser or google-chrome on PATH")
    with playwright.sync_playwright() as driver:
        # Without a sandbox, as containers have none; it opens files of this repository alone.
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a folder on a server of this machine."""
    handler = functools.partial(QuietHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, *words: object) -> None:
        pass


@dataclass
class Visit:
    """One page as it was found."""

    path: Path
    # From the root of the book.
    name: str = ""
    errors: list[str] = field(default_factory=list)
    # Addresses of everything the page asked for, itself included.
    requests: list[str] = field(default_factory=list)
    # Absolute, as the browser resolves them.
    links: list[str] = field(default_factory=list)
    # Scheme (light, dark) to what axe found wrong; empty where it was not asked.
    violations: dict[str, list[str]] = field(default_factory=dict)
    # How far the page is wider than a phone, in pixels.
    overflow: int = 0

    def shared_bytes(self) -> int:
        """Size of the scripts, styles and fonts that the page asked for."""
        files = {file_of(address) for address in self.requests if address.startswith("file:")}
        return sum(path.stat().st_size for path in files - {self.path} if path.is_file())


def listen(page) -> Visit:
    """Note the page's errors and requests from now on."""
    visit = Visit(Path())
    page.on("console", lambda said: said.type == "error" and visit.errors.append(said.text))
    page.on("pageerror", lambda error: visit.errors.append(str(error)))
    page.on("request", lambda request: visit.requests.append(request.url))
    page.on("requestfailed", lambda request: visit.errors.append(f"failed: {request.url[:200]}"))
    return visit


def visit(browser, book: Path, name: str, *, axe: bool) -> Visit:
    """Open a page on a desk and on a phone; with `axe` examine it in light and in dark mode."""
    # pytest has skipped where Playwright is missing; axe comes with the same extra.
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(viewport=WIDE, color_scheme="light", reduced_motion="reduce")
    found = listen(page)
    found.path, found.name = book / name, name
    page.goto(found.path.as_uri())
    found.links = page.eval_on_selector_all("a[href]", "each => each.map(link => link.href)")
    # What is folded away has to be legible, too; it fades in.
    page.add_style_tag(content="*, ::before, ::after { transition: none !important }")
    page.add_style_tag(content="*, ::before, ::after { animation: none !important }")
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    page.set_viewport_size(PHONE)
    found.overflow = page.evaluate(
        "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
    )
    page.set_viewport_size(WIDE)
    page.add_style_tag(content=FEW_ROWS)
    for scheme, options in (("light", AXE), ("dark", AXE | COLORS)) if axe else ():
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(f"document.documentElement.dataset.theme === '{scheme}'")
        found.violations[scheme] = [
            f"{rule['id']}: {node['target']} {node['html'][:160]} | {node['failureSummary']}"
            for rule in Axe().run(page, options=options).response["violations"]
            for node in rule["nodes"]
        ]
    page.close()
    return found


def file_of(address: str) -> Path:
    """The file behind a file: address."""
    return Path(unquote(urlsplit(address).path))


def anchors(page: Path) -> set[str]:
    """The places of a page that a link can point to."""
    return set(re.findall(r'\b(?:id|name)="([^"]+)"', page.read_text(encoding="utf-8")))
