"""Figure 5: two maps of each marked finding, and whether they point at it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from IPython.display import HTML

from chestkd.evaluation.localization import Region
from chestkd.findings import readable
from chestkd.pages.map_panels import integration, map_panel, switcher
from chestkd.saliency.methods import METHODS, Settings
from chestkd.study.explained_network import Explained, row_of
from chestkd.study.study import Study


@dataclass(frozen=True, eq=False)
class Column:
    """One of the two maps: whose, and by which method."""

    explained: Explained
    #: A name in `saliency.METHODS`.
    method: str

    @property
    def title(self) -> str:
        """The method and the network: "CAM of DenseNet-121"."""
        return f"{METHODS[self.method].title} of {self.explained.title}"


def by_probability(
    explained: Explained, marked: Sequence[Region], findings: Sequence[str], *, highest: bool
) -> list[Region]:
    """For each finding the marked region in the image of highest or lowest predicted probability.

    A finding that is not marked in any image is left out.
    """
    chosen = []
    for finding in findings:
        regions = [region for region in marked if region.finding == finding]
        regions.sort(key=lambda region: explained.probability(region.row, finding), reverse=highest)
        chosen += regions[:1]
    return chosen


def by_name(study: Study, marked: Sequence[Region], images: Mapping[str, str]) -> list[Region]:
    """The marked region of each finding in the image given for it, in the order of `marked`.

    Raises ValueError for an image that is not prepared, or no test image with its finding marked.
    """
    wanted = {(row_of(study, image), finding) for finding, image in images.items()}
    chosen = [region for region in marked if (region.row, region.finding) in wanted]
    if len(chosen) < len(wanted):
        raise ValueError(
            "images must be test images with their finding marked, "
            f"received {', '.join(images.values())}"
        )
    return chosen


def gallery(
    regions: Sequence[Region],
    findings: Sequence[str],
    columns: tuple[Column, Column],
    settings: Settings,
    *,
    memory: int,
    name: str,
    caption: str,
    source: str,
) -> HTML:
    """Two regions a row with two maps each; the caption names findings without a region.

    `memory` is in bytes.
    """
    present = {region.finding for region in regions}
    missing = ", ".join(readable(finding) for finding in findings if finding not in present)
    note = f"No marked test image: {missing}." if missing else ""
    if not regions:
        return HTML(f"<p>{note}</p>")
    panels = [
        map_panel(
            column.explained, region.row, region.finding, column.method, settings,
            region=region, memory=memory,
        )
        for region in regions
        for column in columns
    ]  # fmt: skip
    rows = [panels[start : start + 4] for start in range(0, len(panels), 4)]
    caption = " ".join(filter(None, [caption, integration(rows, settings), note]))
    return switcher(rows, name=name, caption=caption, source=source)
