# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Figure 4: three saliency maps of four findings
#
# Figure 4 of {cite}`ho2020` shows a radiograph and three maps for Effusion, Fibrosis, Hernia and
# Nodule: guided backpropagation {cite}`springenberg2014`, SmoothGrad {cite}`smilkov2017` and
# SmoothGrad integrated gradients {cite}`sundararajan2017`. The paper does not say how its four
# images were chosen. Here a rule chooses them, and below stands what the same network shows where
# it is wrong. Whether such maps can be trusted is the question of {doc}`saliency-trust`.
#
#     papermill notebooks/figure-4.py build/figure-4.ipynb -p preset quick -p findings "Edema, Mass"
#
# It trains nothing: it explains a base run that is there. Under a minute on two cores with preset
# `quick`.

# %% tags=["parameters", "hide-input"]
preset: str = "quick"  # a file in workflow/presets, or a path that ends in .yaml
data: str = "phantom"  # "phantom", or the folder of a data set in NIH's layout
allow_partial: bool = False  # go on with the images that are there
network: str = "inception-v3"  # the paper's; the study's best where it has none
findings: str = "Effusion, Fibrosis, Hernia, Nodule"  # the rows
images: str = ""  # one image name for each finding; "": by the rule
methods: str = "guided-backpropagation, smoothgrad, smoothgrad-integrated-gradients"  # the columns
size: int = 0  # side of the images that are explained, in pixels; 0: as trained
samples: int = 16  # noisy copies of an image, for SmoothGrad
steps: int = 16  # gradients on the path, for integrated gradients
sigma: float = 0.15  # deviation of the noise, as a share of the image's range of gray levels
noise_seed: int = 0  # draws the noise
memory: float = 2.0  # GiB for the activations of one batch

# %% tags=["hide-input"]
from IPython.display import Markdown, display

from chestkd import saliency
from chestkd.pages import figures, galleries, map_panels
from chestkd.pages.parameters import check_parameters
from chestkd.study import explained_network
from chestkd.study.study import open_study

check_parameters()
study = open_study(preset, data, allow_partial=allow_partial)
chosen_findings = explained_network.names(findings)
chosen_methods = explained_network.names(methods, tuple(saliency.METHODS))
settings = saliency.Settings(samples=samples, steps=steps, sigma=sigma, seed=noise_seed)
explained = explained_network.explained_network(study, network, size=size)
dataset, source = study.prepared.dataset, study.caption(runs=1)
if explained.note:
    display(Markdown(explained.note))


# %% tags=["hide-input"]
def gallery(rows, name, caption):
    """Radiograph and maps of a row for each finding, and a line on those that have none."""
    missing = [figures.readable(finding) for finding, row in rows.items() if row is None]
    if missing:
        display(Markdown(f"No such test image: {', '.join(missing)}."))
    panels = [
        [
            galleries.radiograph_panel(explained, dataset, row, finding),
            *galleries.map_panels(
                explained, row, finding, chosen_methods, settings, memory=int(memory * 2**30)
            ),
        ]
        for finding, row in rows.items()
        if row is not None
    ]
    if panels:
        return map_panels.switcher(panels, name=name, caption=caption, source=source, view="map")
    return None


# %% [markdown]
# ## Where the network is most sure
#
# The rule: of the test images whose label names the finding, the one with the highest predicted
# probability. The first column is the radiograph. A map shows the size of its values, not their
# sign. The buttons switch all panels between radiograph, map, and map over radiograph.

# %% tags=["hide-input"]
given = explained_network.names(images, allowed=())
if given and len(given) != len(chosen_findings):
    raise ValueError(f"{len(given)} images for {len(chosen_findings)} findings: give one for each")
if given:
    chosen = [explained_network.row_of(study, name) for name in given]
else:
    chosen = [explained_network.most_confident(explained, finding) for finding in chosen_findings]
gallery(
    dict(zip(chosen_findings, chosen, strict=True)),
    "figure-4",
    f"Maps of {explained.title} on "
    + ("the images asked for." if given else "its most confident right answers."),
)

# %% [markdown]
# ## Where it is wrong
#
# The same maps of the same network on two kinds of errors. First the test image that it gives the
# highest probability although the label does not name the finding. The map shows something all the
# same.

# %% tags=["hide-input"]
gallery(
    {
        finding: explained_network.most_confident(explained, finding, present=False)
        for finding in chosen_findings
    },
    "figure-4-false-alarms",
    f"The most confident false alarms of {explained.title}.",
)

# %% [markdown]
# Then the test image whose label names the finding and that it gives the lowest probability.

# %% tags=["hide-input"]
gallery(
    {finding: explained_network.least_confident(explained, finding) for finding in chosen_findings},
    "figure-4-missed",
    f"Labeled findings to which {explained.title} gives the lowest probability.",
)
