"""Tables and figures as the book shows them: with caption, source and download.

Both name the study they were made from. A table is HTML with a link that contains the
same numbers as CSV, so that it can be downloaded from a page opened offline.
"""

import base64
import html
import io
from collections.abc import Mapping
from numbers import Real
from urllib.parse import quote

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from chestkd.evaluation.auc import FEW_EXPLAINED, FEW_MARK

_DPI = 150
# Charts stay exact as PNG; larger images show radiographs, which WebP stores in less space.
_LARGEST_PNG = 200_000


def table(
    frame: pd.DataFrame,
    *,
    name: str,
    caption: str,
    source: str,
    formats: Mapping[str, str] | None = None,
    bold: pd.DataFrame | None = None,
) -> HTML:
    """A table for the book; ``name`` is the file name of the CSV without its ending.

    ``source`` is the study's caption. ``formats`` maps columns to format specifications such as
    ".3f"; missing values are empty cells. ``bold`` (same shape, bool) marks cells. A cell with
    `FEW_MARK` is explained below the table.
    """
    header = "".join(_header(column, frame[column]) for column in frame.columns)
    rows = []
    for position, values in enumerate(frame.itertuples(index=False)):
        cells = []
        for column, value in zip(frame.columns, values, strict=True):
            text = html.escape(_format(value, (formats or {}).get(column, "")))
            if bold is not None and bold.iloc[position][column]:
                text = f"<strong>{text}</strong>"
            cells.append(
                f'<td class="number">{text}</td>' if _is_number(value) else f"<td>{text}</td>"
            )
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return HTML(
        f'<div class="chestkd-table" id="{name}">'
        # Wide tables scroll in a frame of their own, which the keyboard can reach.
        f'<div class="chestkd-scroll" role="region" tabindex="0" '
        f'aria-label="{html.escape(caption, quote=True)}"><table>'
        f"<caption>{html.escape(caption)}</caption>"
        f"<thead><tr>{header}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        f"{_explained(str(rows), '<p>{}</p>')}"
        f'<p class="chestkd-source">{html.escape(source)} · {_csv_link(frame, name)}</p></div>'
    )


def _header(column: object, values: pd.Series) -> str:
    if not str(column):
        return "<td></td>"
    numbers = ' class="number"' if all(map(_is_number, values)) else ""
    return f'<th scope="col"{numbers}>{html.escape(str(column))}</th>'


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _format(value: object, specification: str) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return ""
    return format(value, specification) if specification else str(value)


def _csv_link(frame: pd.DataFrame, name: str) -> str:
    content = quote(frame.to_csv(index=False))
    return f'<a download="{name}.csv" href="data:text/csv;charset=utf-8,{content}">CSV</a>'


def figure(drawn: Figure, *, name: str, caption: str, source: str, alt: str) -> HTML:
    """A figure for the book; ``alt`` describes it in words. Closes the figure.

    A text of the figure with `FEW_MARK` is explained in the caption.
    """
    explained = _explained(str([text.get_text() for text in drawn.findobj(Text)]), " {}")
    stream = io.BytesIO()
    drawn.savefig(stream, format="png", dpi=_DPI, bbox_inches="tight", facecolor="white")
    plt.close(drawn)
    kind, content = _compressed(stream.getvalue())
    width, height = Image.open(stream).size
    image = base64.b64encode(content).decode("ascii")
    return HTML(
        f'<figure class="chestkd-figure" id="{name}">'
        f'<img alt="{html.escape(alt, quote=True)}" width="{width}" height="{height}" '
        f'src="data:image/{kind};base64,{image}">'
        f"<figcaption>{html.escape(caption)}{explained} "
        f'<span class="chestkd-source">{html.escape(source)}</span></figcaption></figure>'
    )


def what_we_see(*sentences: str) -> HTML:
    """The box that opens a page of results: two to four sentences, computed, of plain text.

    Empty sentences are left out, so that a caller may have nothing to say of a part.
    """
    text = " ".join(html.escape(sentence) for sentence in sentences if sentence)
    return HTML(
        '<aside class="chestkd-seen" aria-labelledby="what-we-see">'
        f'<p id="what-we-see"><strong>What we see</strong></p><p>{text}</p></aside>'
    )


def _explained(shown: str, form: str) -> str:
    return form.format(FEW_EXPLAINED) if FEW_MARK in shown else ""


def _compressed(png: bytes) -> tuple[str, bytes]:
    """The image type and the bytes for the page."""
    if len(png) <= _LARGEST_PNG:
        return "png", png
    stream = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(stream, "WEBP", quality=88, method=6)
    return "webp", stream.getvalue()
