"""Sphinx extension: numbers for the tables and figures that the notebooks show.

A notebook's tables and figures reach Sphinx as raw HTML, which it neither numbers nor refers to.
Here each becomes a node that Sphinx counts in the order of the table of contents. The number is
written into the caption, and the name is a label: {numref}`NAME`, {ref}`NAME` and [](#NAME) all
become a link "Table M3". An unknown name is a warning, and with -W an error.

Numbers begin with M (measured), so that ours are not taken for those of the paper. The pages of
single runs count on their own, with R: a study of more runs does not renumber the other pages.
"""

import html
import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.domains.std import StandardDomain
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

LOGGER = logging.getLogger(__name__)
RUN_PAGES = "notebooks/runs/"
# What chestkd.pages.html and chestkd.pages.map_panels write.
SHOWN = re.compile(r'<(?:div|figure) class="chestkd-(table|figure)[ "][^>]*?\bid="([^"]+)"')
CAPTION = re.compile(
    r'<(caption|figcaption)>(.*?)(?=<span class="chestkd-source"|</\1>)', re.DOTALL
)
BOUNDARY = re.compile(r"</(?:t[dhr]|caption|div|label|p)>|<br>")


class Numbered(nodes.General, nodes.Element):
    """A table or figure as raw HTML; one subclass for each sequence of numbers."""


class MeasuredTable(Numbered):
    """A table of the study."""


class MeasuredFigure(Numbered):
    """A figure of the study."""


class RunTable(Numbered):
    """A table of one run."""


class RunFigure(Numbered):
    """A figure of one run."""


# By kind, and whether the page is that of a run.
CLASSES = {
    ("table", False): MeasuredTable,
    ("figure", False): MeasuredFigure,
    ("table", True): RunTable,
    ("figure", True): RunFigure,
}
SEQUENCES = {
    MeasuredTable: ("measured-table", "Table M%s"),
    MeasuredFigure: ("measured-figure", "Figure M%s"),
    RunTable: ("run-table", "Table R%s"),
    RunFigure: ("run-figure", "Figure R%s"),
}
FORMATS = dict(SEQUENCES.values())


class FindNumbered(SphinxTransform):
    """Wrap the raw HTML of each table and figure in a node that Sphinx numbers."""

    # Before Sphinx collects labels and titles.
    default_priority = 800

    def apply(self) -> None:
        """Replace the nodes, and register their names for references from all over the book."""
        for raw in list(self.document.findall(nodes.raw)):
            found = SHOWN.findall(raw.astext()) if "html" in raw.get("format", "").split() else []
            if len(found) > 1:
                LOGGER.warning("more than one table or figure in one output: %s", found)
            elif found:
                self._wrap(raw, *found[0])

    def _wrap(self, raw: nodes.raw, kind: str, name: str) -> None:
        docname = self.env.docname
        labels = domain(self.env)
        if name in self.document.ids:
            LOGGER.warning("%s: the name %r is taken, perhaps by a heading", docname, name)
        elif name in labels.anonlabels:
            LOGGER.warning("%s: the name %r is taken in %s", docname, name, labels.labels[name][0])
        node = CLASSES[kind, docname.startswith(RUN_PAGES)]("", ids=[name])
        raw.replace_self(node)
        # The search index drops the tags, which would run neighboring cells together.
        text = BOUNDARY.sub(r"\g<0> ", raw.astext())
        node += nodes.raw("", text, format="html")
        self.document.ids[name] = node
        labels.anonlabels[name] = (docname, name)
        labels.labels[name] = (docname, name, title(node))


def domain(env: BuildEnvironment) -> StandardDomain:
    """Sphinx's table of labels."""
    return env.domains["std"]


def title(node: Numbered) -> str:
    """The words of the caption, or the name: Sphinx numbers nothing without a title."""
    caption = CAPTION.search(node.children[0].astext())
    words = re.sub(r"<[^>]*>", "", caption[2]) if caption else ""
    return html.unescape(words).strip() or node["ids"][0]


def name_by_number(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Let references without text of their own show the number."""
    for docname, sequences in env.toc_fignumbers.items():
        for sequence in FORMATS.keys() & sequences.keys():
            for name, number in sequences[sequence].items():
                shown = FORMATS[sequence] % ".".join(map(str, number))
                domain(env).labels[name] = (docname, name, shown)
    return []


def write(translator: HTML5Translator, node: Numbered) -> None:
    """The HTML as the notebook made it, with the number and a link to copy in its caption."""
    sequence, form = SEQUENCES[type(node)]
    name = node["ids"][0]
    number = translator.builder.fignumbers.get(sequence, {}).get(name)
    text = node.children[0].astext()
    if number is not None:
        shown = form % ".".join(map(str, number))
        text = CAPTION.sub(
            lambda caption: (
                f'<{caption[1]}><span class="caption-number">{shown}.</span> '
                f"{caption[2].rstrip()} "
                f'<a class="headerlink" href="#{name}" title="Link to {shown}">#</a> '
            ),
            text,
            count=1,
        )
    translator.body.append(text)
    raise nodes.SkipNode


def leave(translator: HTML5Translator, node: Numbered) -> None:
    """Nothing to close."""


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the four sequences of numbers."""
    for node, (sequence, _) in SEQUENCES.items():
        app.add_enumerable_node(node, sequence, title, html=(write, leave))
    app.connect("config-inited", lambda _, config: config.numfig_format.update(FORMATS), 900)
    app.add_transform(FindNumbered)
    # After Sphinx has numbered.
    app.connect("env-get-updated", name_by_number, 900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
