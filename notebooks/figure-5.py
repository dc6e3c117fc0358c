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
# # Figure 5: CAM and SmoothGrad integrated gradients against boxes
#
# Figure 5 of {cite}`ho2020` shows eight boxed radiographs on which CAM {cite}`zhou2016` misses the
# finding and SmoothGrad integrated gradients hit it. Eight images chosen to show that prove nothing
# about the others. Here a rule chooses one image for each of the eight boxed findings, and
# each map says whether its maximum lies in the box. {doc}`saliency-trust` counts over all of them.
#
# CAM is that of DenseNet-121, as in {cite}`ho2019`, from which the paper takes it; the other map is
# that of InceptionV3. So the two columns may differ by their networks, too.
#
#     papermill notebooks/figure-5.py build/figure-5.ipynb -p preset quick
#
# It trains nothing: it explains existing base runs. Under a minute on two cores with preset
# `quick`.

# %% tags=["parameters", "hide-input"]
preset: str = "quick"  # a file in workflow/presets, or a path that ends in .yaml
data: str = "phantom"  # "phantom", or the folder of a data set in NIH's layout
allow_partial: bool = False  # go on with the images that are there
cam_network: str = "densenet-121"  # of the first map; the study's best if it has no run of it
network: str = "inception-v3"  # of the second map; the study's best if it has no run of it
findings: str = ""  # names with commas; "": the eight that NIH boxed
images: str = ""  # one image name for each finding; "": by the rule
cam_method: str = "cam"  # the first map
method: str = "smoothgrad-integrated-gradients"  # the second map
size: int = 0  # side of the images that are explained, in pixels; 0: as trained
samples: int = 16  # noisy copies of an image, for SmoothGrad
steps: int = 16  # gradients on the path, for integrated gradients
sigma: float = 0.15  # deviation of the noise, as a share of the image's range of gray levels
noise_seed: int = 0  # draws the noise
memory: float = 2.0  # GiB for the activations of one batch

# %% tags=["hide-input"]
from functools import partial

from IPython.display import Markdown, display

from chestkd.data.splits import SplitError
from chestkd.evaluation import marked_regions
from chestkd.findings import BOXED_FINDINGS
from chestkd.pages import figure_5
from chestkd.pages.parameters import check_parameters, images_by_finding, names
from chestkd.saliency.methods import METHODS, Settings
from chestkd.study.explained_network import explained_network, require_official
from chestkd.study.study import open_study

check_parameters()
study = open_study(preset, data, allow_partial=allow_partial)
chosen_findings = names(findings) or list(BOXED_FINDINGS)
given = images_by_finding(images, chosen_findings)
names(f"{cam_method}, {method}", tuple(METHODS))
explained = explained_network(study, network, size=size)
cam_explained = explained_network(study, cam_network, again=explained, size=size)
columns = figure_5.Column(cam_explained, cam_method), figure_5.Column(explained, method)
for note in dict.fromkeys((cam_explained.note, explained.note)):
    display(Markdown(note))
try:
    require_official(explained.run, study.split)
    require_official(cam_explained.run, study.split)
    marked = marked_regions.all_regions(study.prepared.dataset, study.split, explained.size)
except SplitError as error:
    marked = []
    display(Markdown(f"No figure: {error}."))
gallery = partial(
    figure_5.gallery,
    findings=chosen_findings,
    columns=columns,
    settings=Settings(samples=samples, steps=steps, sigma=sigma, seed=noise_seed),
    memory=int(memory * 2**30),
    source=study.caption(runs=len({explained.run.id, cam_explained.run.id})),
)

# %% [markdown]
# ## Where the network is most sure
#
# The rule: of the test images in which the finding is marked, the one with the highest probability
# predicted by the network of the second map. The outline is the box.

# %% tags=["hide-input"]
if given:
    chosen = figure_5.by_name(study, marked, given)
else:
    chosen = figure_5.by_probability(explained, marked, chosen_findings, highest=True)
gallery(
    chosen,
    name="figure-5",
    caption=f"{columns[0].title} and {columns[1].title} on "
    + ("the images asked for." if given else "the most confident right answers."),
)

# %% [markdown]
# ## Where it is least sure
#
# By the same rule, with the lowest probability: the finding is there, and the network does not see
# it.

# %% tags=["hide-input"]
gallery(
    figure_5.by_probability(explained, marked, chosen_findings, highest=False),
    name="figure-5-missed",
    caption=f"Marked findings to which {explained.title} gives the lowest probability.",
)
