"""Saliency maps over radiographs: panels of one image each, which a reader switches between views.

Radiograph, map, and map over radiograph lie exactly on top of each other; radio buttons choose.
It is plain HTML and CSS without a script, so it works offline, in print and from the keyboard.
"""

import base64
import html
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from IPython.display import HTML
from PIL import Image

from chestkd.data.dataset import Dataset
from chestkd.evaluation.localization import Region, evidence, score
from chestkd.findings import decode, readable
from chestkd.saliency.logit import DEFAULT_MEMORY
from chestkd.saliency.methods import METHODS, Settings, describe, explain
from chestkd.study.explained_network import Explained

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
    """A radiograph, with or without a map of it, as one picture of a row."""

    #: Lines above the picture.
    title: str
    #: Lines below it.
    note: str
    #: (H, W) uint8.
    image: np.ndarray
    #: (H, W), >= 0, what speaks for the finding; None shows the radiograph in every view.
    evidence: np.ndarray | None = None
    #: (K, 4): x, y, width, height in pixels of the image, drawn in every view.
    boxes: np.ndarray | None = None
    #: (H, W) bool; its outline is drawn in every view.
    mask: np.ndarray | None = None
    #: Completeness error and gradients of a map of integrated gradients (`methods.explain`).
    error: float = math.nan
    steps: float = math.nan


def radiograph_panel(explained: Explained, dataset: Dataset, row: int, finding: str) -> Panel:
    """The radiograph alone, with its name, its predicted probability and its label."""
    return Panel(
        title=f"{readable(finding)}\n{dataset.table['image'][row]}",
        note=f"{_predicted(explained, row, finding)}, labeled {decode(dataset.labels[row])}",
        image=explained.images[row],
    )


def map_panel(
    explained: Explained,
    row: int,
    finding: str,
    method_name: str,
    settings: Settings,
    *,
    region: Region | None = None,
    memory: int = DEFAULT_MEMORY,
) -> Panel:
    """A map of one image; with a region, its boxes and how well the map points at it."""
    image, method = explained.images[row], METHODS[method_name]
    maps, (error,), (steps,) = explain(
        method_name, explained.model, finding, image[None], settings, memory=memory
    )
    sharp = evidence(maps, method.evidence, blur=0)[0]
    notes = [_predicted(explained, row, finding)]
    if np.ptp(sharp) == 0:
        notes.append("nothing speaks for the finding")
    elif region is not None:
        notes += _agreement(evidence(maps, method.evidence)[0], region)
    return Panel(
        title=f"{readable(finding)}\n{method.title}",
        note="\n".join(notes),
        image=image,
        evidence=sharp,
        boxes=None if region is None else region.boxes,
        error=error,
        steps=steps,
    )


def _predicted(explained: Explained, row: int, finding: str) -> str:
    return f"predicted {explained.probability(row, finding):.2f}"


def _agreement(strength: np.ndarray, region: Region) -> list[str]:
    scores = score(strength, region)
    hit = {0.0: "outside the box", 1.0: "in the box"}.get(scores["pointing"], "partly in the box")
    inside, area = _percent(scores["energy"]), _percent(float(region.mask.mean()))
    return [f"maximum {hit}", f"{inside} of the evidence on {area} of the area"]


def integration(rows: Sequence[Sequence[Panel]], settings: Settings) -> str:
    """The sentence of `methods.describe` on all maps of a figure."""
    panels = [panel for row in rows for panel in row]
    return describe(settings, [panel.error for panel in panels], [panel.steps for panel in panels])


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.0995 else f"{share:.1%}"


def switcher(
    rows: Sequence[Sequence[Panel]], *, name: str, caption: str, source: str, view: str = "overlay"
) -> HTML:
    """Rows of panels with one switch for all of them.

    `name` becomes the id of the figure; `view`, "radiograph", "map" or "overlay", is shown first.
    A sentence on the color scale is added to the caption.
    """
    if view not in _VIEWS:
        raise ValueError(f"unknown view {view!r}; allowed: {', '.join(_VIEWS)}")
    inputs = "".join(
        f'<input type="radio" name="{name}-view" id="{name}-{choice}" class="show-{choice}"'
        f"{' checked' if choice == view else ''}>"
        f'<label for="{name}-{choice}">{choice}</label>'
        for choice in _VIEWS
    )
    columns = max(len(row) for row in rows)
    body = "".join(
        f'<div class="panels" style="--columns:{columns}">{"".join(map(_panel, row))}</div>'
        for row in rows
    )
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


def colors(strengths: np.ndarray) -> np.ndarray:
    """Strengths (H, W), 0..1, as (H, W, 3) uint8."""
    return (matplotlib.colormaps[_COLORS](strengths)[..., :3] * 255).round().astype(np.uint8)


def blend(image: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """The map over the radiograph (H, W) uint8, the more opaque the stronger: (H, W, 3) uint8."""
    opacity = _OPACITY * strengths[..., None]
    mixed = (1 - opacity) * image[..., None].astype(float) + opacity * colors(strengths)
    return mixed.round().astype(np.uint8)


def outline(mask: np.ndarray) -> str:
    """The pixel edges between a mask (H, W) and its outside, as an SVG path."""
    inside = np.pad(mask, 1)
    horizontal = np.argwhere(inside[1:, 1:-1] != inside[:-1, 1:-1])  # row, column
    vertical = np.argwhere(inside[1:-1, 1:] != inside[1:-1, :-1])
    path = "".join(f"M{column} {row}h1" for row, column in horizontal)
    return path + "".join(f"M{column} {row}v1" for row, column in vertical)


def _panel(panel: Panel) -> str:
    height, width = panel.image.shape
    layers = {"radiograph": panel.image}
    if panel.evidence is not None:
        strengths = strength(panel.evidence)
        layers |= {"map": colors(strengths), "overlay": blend(panel.image, strengths)}
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
    note = panel.note
    if not math.isnan(panel.error):
        note += f"\n{panel.steps:.0f} gradients, completeness error {panel.error:.1%}"
    alone = "" if panel.evidence is not None else " alone"
    return (
        f'<div class="panel"><div class="above">{_lines(panel.title)}</div>'
        f'<div class="stack{alone}" style="aspect-ratio:{width}/{height}">{pictures}'
        f'<svg viewBox="0 0 {width} {height}" aria-hidden="true">{shapes}</svg></div>'
        f'<div class="below">{_lines(note)}</div></div>'
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
