"""Figure 4: the maps of one network for several findings, a row of panels for each finding."""

from collections.abc import Mapping, Sequence

from IPython.display import HTML

from chestkd.data.dataset import Dataset
from chestkd.findings import readable
from chestkd.pages.map_panels import integration, map_panel, radiograph_panel, switcher
from chestkd.saliency.methods import Settings
from chestkd.study.explained_network import Explained


def gallery(
    explained: Explained,
    dataset: Dataset,
    rows: Mapping[str, int | None],
    methods: Sequence[str],
    settings: Settings,
    *,
    memory: int,
    name: str,
    caption: str,
    source: str,
) -> HTML:
    """For each finding its image and the image's maps; the caption names findings without one.

    `rows` maps findings to rows of the data set, None where no image fits. `memory` is in bytes.
    """
    missing = ", ".join(readable(finding) for finding, row in rows.items() if row is None)
    note = f"No such test image: {missing}." if missing else ""
    panels = [
        [
            radiograph_panel(explained, dataset, row, finding),
            *(
                map_panel(explained, row, finding, method, settings, memory=memory)
                for method in methods
            ),
        ]
        for finding, row in rows.items()
        if row is not None
    ]
    if not panels:
        return HTML(f"<p>{note}</p>")
    caption = " ".join(filter(None, [caption, integration(panels, settings), note]))
    return switcher(panels, name=name, caption=caption, source=source, view="map")
