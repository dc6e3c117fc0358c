"""Panels of Figures 4 and 5: an explained network's maps of one image, with what they are worth."""

import numpy as np

from chestkd import saliency
from chestkd.data.dataset import Dataset
from chestkd.evaluation.localization import Region, evidence, score
from chestkd.findings import decode
from chestkd.pages.figures import readable
from chestkd.pages.map_panels import Panel
from chestkd.saliency.batching import DEFAULT_MEMORY
from chestkd.study.explained_network import Explained


def radiograph_panel(explained: Explained, dataset: Dataset, row: int, finding: str) -> Panel:
    """The radiograph alone, with its name, its predicted probability and its label."""
    return Panel(
        title=f"{readable(finding)}\n{dataset.table['image'][row]}",
        note=f"predicted {explained.probability(row, finding):.2f}, labeled "
        f"{decode(dataset.labels[row])}",
        image=explained.images[row],
    )


def map_panels(
    explained: Explained,
    row: int,
    finding: str,
    methods: list[str],
    settings: saliency.Settings,
    *,
    region: Region | None = None,
    memory: int = DEFAULT_MEMORY,
) -> list[Panel]:
    """One panel a method; with a region, its boxes and how well the map points at it."""
    image = explained.images[row]
    panels = []
    for name in methods:
        method = saliency.METHODS[name]
        maps = saliency.compute(
            name, explained.model, finding, image[None], settings, memory=memory
        )
        shown = evidence(maps, method.evidence, blur=0)[0]
        notes = [f"predicted {explained.probability(row, finding):.2f}"]
        if np.ptp(shown) == 0:
            notes.append("nothing speaks for the finding")
        elif region is not None:
            notes += _worth(evidence(maps, method.evidence)[0], region)
        panels.append(
            Panel(
                title=f"{readable(finding)}\n{method.title}",
                note="\n".join(notes),
                image=image,
                evidence=shown,
                boxes=None if region is None else region.boxes,
            )
        )
    return panels


def _worth(strength: np.ndarray, region: Region) -> list[str]:
    found = score(strength, region)
    hit = {0.0: "outside the box", 1.0: "in the box"}.get(found["pointing"], "partly in the box")
    inside, area = _percent(found["energy"]), _percent(float(region.mask.mean()))
    return [f"maximum {hit}", f"{inside} of the evidence on {area} of the area"]


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.0995 else f"{share:.1%}"
