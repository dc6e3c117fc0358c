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
# images were chosen. Here a rule chooses them, and what the same rule shows where the network is
# wrong stands below. Whether such maps can be believed is asked in {doc}`saliency-trust`.
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
images: str = ""  # one image name a finding; "": by the rule
methods: str = "guided-backpropagation, smoothgrad, smoothgrad-integrated-gradients"  # the columns
samples: int = 25  # noisy copies of an image, for SmoothGrad
steps: int = 25  # gradients on the path, for integrated gradients
sigma: float = 0.15  # deviation of the noise, as a share of the image's range of gray levels
noise_seed: int = 0  # draws the noise
memory: float = 2.0  # GiB for the activations of one batch

# %% tags=["hide-input"]
from chestkd import explaining, figures, overlays, saliency
from chestkd.findings import decode
from chestkd.localization import evidence
from chestkd.notebooks import check_parameters
from chestkd.study import open_study

check_parameters()
study = open_study(preset, data, allow_partial=allow_partial)
chosen_findings = explaining.names(findings)
chosen_methods = explaining.names(methods, tuple(saliency.METHODS))
settings = saliency.Settings(samples=samples, steps=steps, sigma=sigma, seed=noise_seed)
explained = explaining.explained_network(study, network)
source = study.caption(runs=1)
if explained.note:
    print(explained.note)


# %% tags=["hide-input"]
def row_of_panels(finding, row):
    """The radiograph and its maps; none where there is no such image."""
    if row is None:
        return None
    image = explained.images[row]
    name = study.prepared.dataset.table["image"][row]
    note = f"predicted {explained.probability(row, finding):.2f}"
    note += f", labelled {decode(study.prepared.dataset.labels[row])}"
    panels = [overlays.Panel(f"{figures.readable(finding)}\n{name}", note, image)]
    for method in chosen_methods:
        maps = saliency.compute(
            method, explained.model, finding, image[None], settings, memory=int(memory * 2**30)
        )
        shown = evidence(maps, saliency.METHODS[method].evidence, blur=0)[0]
        title = saliency.METHODS[method].title
        panels.append(overlays.Panel(f"{figures.readable(finding)}\n{title}", "", image, shown))
    return panels


def gallery(chosen, name, caption):
    """A switchable figure of the rows that there are, and a line on those that there are not."""
    rows = [row_of_panels(finding, row) for finding, row in chosen.items()]
    missing = [figures.readable(finding) for finding, row in chosen.items() if row is None]
    if missing:
        print(f"No such test image for {', '.join(missing)}.")
    there = [row for row in rows if row]
    if not there:
        return None
    return overlays.switcher(there, name=name, caption=caption, source=source, view="map")


# %% [markdown]
# ## Where the network is most sure
#
# The rule: of the test images whose label names the finding, the one with the highest predicted
# probability. The first column is the radiograph. What is drawn of a map is its size, without its
# sign. The buttons switch all panels between radiograph, map and map over radiograph.

# %% tags=["hide-input"]
given = explaining.names(images, allowed=())
if given and len(given) != len(chosen_findings):
    raise ValueError(f"{len(given)} images for {len(chosen_findings)} findings: give one for each")
if given:
    rows = [explaining.row_of(study, name) for name in given]
else:
    rows = [explaining.most_confident(explained, finding) for finding in chosen_findings]
gallery(
    dict(zip(chosen_findings, rows, strict=True)),
    "figure-4",
    f"Figure 4. Radiographs and maps of {explained.title}"
    + (", on images that were asked for." if given else ", on its most confident right answers."),
)

# %% [markdown]
# ## Where it is wrong
#
# The same maps where the same network fails: first on the test image that it is most sure about
# although its label does not name the finding, then on the image whose label names the finding and
# that it gives the lowest probability. A map looks no less convincing for that.

# %% tags=["hide-input"]
false_alarms = {
    finding: explaining.most_confident(explained, finding, present=False)
    for finding in chosen_findings
}
gallery(
    false_alarms,
    "figure-4-false-alarms",
    f"The most confident false alarms of {explained.title}.",
)

# %% tags=["hide-input"]
missed = {finding: explaining.least_confident(explained, finding) for finding in chosen_findings}
gallery(missed, "figure-4-missed", f"What {explained.title} missed by most.")
