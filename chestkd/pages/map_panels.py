"""Saliency maps over radiographs: one picture that a reader switches between three views.

Radiograph, map, and map over radiograph lie exactly on top of each other; radio buttons choose.
It is HTML and CSS alone, without a script: it works offline, in print and from the keyboard, and
nothing of it comes from elsewhere.
"""

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from IPython.display import HTML
from PIL import Image

# The share of the pixels that may be brighter than the top of the color scale.
_CLIPPED = 0.005
_COLORS = "inferno"
# How much of the radiograph the strongest evidence hides.
_OPACITY = 0.8
_VIEWS = ("radiograph", "map", "overlay")
# In em; the width of the smallest panel before the row wraps.
_NARROWEST = 9


@dataclass(frozen=True, eq=False)
class Panel:
    """One picture of a row: a radiograph, and a map of it or nothing."""

    # Shown above; a line each.
    title: str
    # Shown below; a line each.
    note: str
    # (H, W) uint8.
    image: np.ndarray
    # (H, W), >= 0, what speaks for the finding; None shows the radiograph under every view.
    evidence: np.ndarray | None = None
    # (K, 4): x, y, width, height in pixels of the image, drawn on every view.
    boxes: np.ndarray | None = None
    # (H, W) bool, whose edge is drawn on every view.
    mask: np.ndarray | None = None


def switcher(
    rows: Sequence[Sequence[Panel]], *, name: str, caption: str, source: str, view: str = "overlay"
) -> HTML:
    """Rows of panels with one switch for all of them.

    `name` becomes the id of the figure, `view` is the one shown first: "radiograph", "map" or
    "overlay". The caption says nothing of the colors; a line below the figure does.
    """
    if view not in _VIEWS:
        raise ValueError(f"unknown view {view!r}; allowed: {', '.join(_VIEWS)}")
    inputs = "".join(
        f'<input type="radio" name="{name}-view" id="{name}-{each}" class="show-{each}"'
        f"{' checked' if each == view else ''}>"
        f'<label for="{name}-{each}">{each}</label>'
        for each in _VIEWS
    )
    columns = max(len(row) for row in rows)
    body = "".join(_row(row, columns) for row in rows)
    return HTML(
        f'{_STYLE}<figure class="chestkd-figure chestkd-switcher" id="{name}" role="group" '
        f'aria-label="{html.escape(caption, quote=True)}">{inputs}{body}'
        f"<figcaption>{html.escape(caption)} "
        f"The color scale of each map ends at its brightest {_CLIPPED:.1%} of pixels. "
        f'<span class="chestkd-source">{html.escape(source)}</span></figcaption></figure>'
    )


def strength(evidence: np.ndarray) -> np.ndarray:
    """Evidence (H, W), >= 0, on the color scale: float64, 0..1; 0 everywhere if constant."""
    top = np.quantile(evidence, 1 - _CLIPPED) or evidence.max()
    if np.ptp(evidence) == 0:
        return np.zeros(evidence.shape)
    return np.clip(evidence / top, 0, 1)


def colors(shown: np.ndarray) -> np.ndarray:
    """Strengths (H, W), 0..1, as (H, W, 3) uint8."""
    return (matplotlib.colormaps[_COLORS](shown)[..., :3] * 255).round().astype(np.uint8)


def blend(image: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """The map over the radiograph (H, W) uint8, the more opaque the stronger: (H, W, 3) uint8."""
    opacity = _OPACITY * shown[..., None]
    mixed = (1 - opacity) * image[..., None].astype(float) + opacity * colors(shown)
    return mixed.round().astype(np.uint8)


def outline(mask: np.ndarray) -> str:
    """The edges of the pixels of a mask (H, W) that border on its outside, as an SVG path."""
    inside = np.pad(mask, 1)
    upper = np.argwhere(inside[1:, 1:-1] != inside[:-1, 1:-1])  # row, column of a level edge
    left = np.argwhere(inside[1:-1, 1:] != inside[1:-1, :-1])
    level = "".join(f"M{column} {row}h1" for row, column in upper)
    return level + "".join(f"M{column} {row}v1" for row, column in left)


def _row(panels: Sequence[Panel], columns: int) -> str:
    cells = "".join(_panel(panel) for panel in panels)
    return f'<div class="panels" style="--columns:{columns}">{cells}</div>'


def _panel(panel: Panel) -> str:
    height, width = panel.image.shape
    layers = {"radiograph": panel.image}
    if panel.evidence is not None:
        shown = strength(panel.evidence)
        layers |= {"map": colors(shown), "overlay": blend(panel.image, shown)}
    described = " ".join(panel.title.split("\n"))
    pictures = "".join(
        f'<img class="view-{view}" alt="{html.escape(f"{described}, {view}", quote=True)}" '
        f'src="{_png(pixels)}">'
        for view, pixels in layers.items()
    )
    shapes = "".join(
        f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}"/>'
        for x, y, w, h in (panel.boxes if panel.boxes is not None else ())
    )
    if panel.mask is not None:
        shapes += f'<path d="{outline(panel.mask)}"/>'
    alone = "" if panel.evidence is not None else " alone"
    return (
        f'<div class="panel"><div class="above">{_lines(panel.title)}</div>'
        f'<div class="stack{alone}" style="aspect-ratio:{width}/{height}">{pictures}'
        f'<svg viewBox="0 0 {width} {height}" aria-hidden="true">{shapes}</svg></div>'
        f'<div class="below">{_lines(panel.note)}</div></div>'
    )


def _lines(text: str) -> str:
    return "<br>".join(html.escape(line) for line in text.split("\n"))


def _png(pixels: np.ndarray) -> str:
    stream = io.BytesIO()
    picture = Image.fromarray(pixels)
    if pixels.ndim == 3:
        picture = picture.quantize(128, method=Image.Quantize.FASTOCTREE)
    picture.save(stream, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


_STYLE = f"""<style>
.chestkd-switcher {{ position: relative; }}
.chestkd-switcher > input {{ position: absolute; opacity: 0; }}
.chestkd-switcher > label {{ display: inline-block; padding: 0.15rem 0.7rem; cursor: pointer;
  border: 1px solid var(--pst-color-border, #999); border-radius: 4px; margin: 0 0.3rem 0.6rem 0;
  font-size: 0.85rem; }}
.chestkd-switcher > input:checked + label {{ color: var(--pst-color-background, #fff);
  background: var(--pst-color-primary, #0a5c7d); border-color: var(--pst-color-primary, #0a5c7d); }}
.chestkd-switcher > input:focus-visible + label {{ outline-offset: 2px;
  outline: 3px solid var(--pst-color-text-base, #222); }}
.chestkd-switcher .panels {{ display: grid; gap: 0.6rem; margin: 0 0 0.8rem; padding: 0;
  grid-template-columns: repeat(auto-fit, minmax(max({_NARROWEST}em,
    calc((100% - (var(--columns) - 1) * 0.6rem) / var(--columns))), 1fr)); }}
.chestkd-switcher .panel {{ max-width: 22rem; min-width: 0; display: flex;
  flex-direction: column; }}
.chestkd-switcher .above, .chestkd-switcher .below {{ font-size: 0.78rem; line-height: 1.3;
  overflow-wrap: anywhere; }}
.chestkd-switcher .above {{ min-height: 3.9em; display: flex; align-items: end; }}
.chestkd-switcher .below {{ color: var(--pst-color-text-muted, #555); }}
.chestkd-switcher .stack {{ position: relative; background: #000; }}
.chestkd-switcher .stack img, .chestkd-switcher .stack svg {{ position: absolute; inset: 0;
  width: 100%; height: 100%; margin: 0; border-radius: 0; }}
.chestkd-switcher .stack svg * {{ fill: none; stroke: #38c6f4; stroke-width: 1.5px;
  vector-effect: non-scaling-stroke; }}
.chestkd-switcher .stack:not(.alone) img {{ visibility: hidden; }}
.chestkd-switcher > .show-radiograph:checked ~ .panels .view-radiograph,
.chestkd-switcher > .show-map:checked ~ .panels .view-map,
.chestkd-switcher > .show-overlay:checked ~ .panels .view-overlay {{ visibility: visible; }}
</style>"""
