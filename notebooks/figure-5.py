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
# finding and SmoothGrad integrated gradients hit it. Eight images that were chosen for that prove
# nothing about the others. Here a rule chooses one image for each of the eight boxed findings, and
# each map says whether its maximum lies in the box. {doc}`saliency-trust` counts over all of them.
#
# CAM is that of DenseNet-121, as in {cite}`ho2019`, from which the paper takes it; the other map is
# that of InceptionV3. So the two columns may differ by their networks, too.
#
#     papermill notebooks/figure-5.py build/figure-5.ipynb -p preset quick
#
# It trains nothing: it explains base runs that are there. Under a minute on two cores with preset
# `quick`.

# %% tags=["parameters", "hide-input"]
preset: str = "quick"  # a file in workflow/presets, or a path that ends in .yaml
data: str = "phantom"  # "phantom", or the folder of a data set in NIH's layout
allow_partial: bool = False  # go on with the images that are there
cam_network: str = "densenet-121"  # of the first map; the study's best where it has none
network: str = "inception-v3"  # of the second map; the study's best where it has none
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
from IPython.display import Markdown, display

from chestkd import saliency
from chestkd.data.splits import SplitError
from chestkd.evaluation import marked_regions
from chestkd.findings import BOXED_FINDINGS
from chestkd.pages import figures, galleries, map_panels
from chestkd.pages.parameters import check_parameters
from chestkd.study import explained_network
from chestkd.study.study import open_study

check_parameters()
study = open_study(preset, data, allow_partial=allow_partial)
chosen_findings = explained_network.names(findings) or list(BOXED_FINDINGS)
explained_network.names(f"{cam_method}, {method}", tuple(saliency.METHODS))
settings = saliency.Settings(samples=samples, steps=steps, sigma=sigma, seed=noise_seed)
explained = explained_network.explained_network(study, network, size=size)
cam_explained = explained_network.explained_network(study, cam_network, again=explained, size=size)
for note in dict.fromkeys((cam_explained.note, explained.note)):
    display(Markdown(note))
try:
    explained_network.require_official(explained.run, study.split)
    explained_network.require_official(cam_explained.run, study.split)
    marked = marked_regions.all_regions(study.prepared.dataset, study.split, explained.size)
except SplitError as error:
    marked = []
    display(Markdown(f"No figure: {error}."))
source = study.caption(runs=len({explained.run.id, cam_explained.run.id}))


# %% tags=["hide-input"]
def pair_of_panels(region):
    """Both maps of one region."""
    budget = int(memory * 2**30)
    first, second = (
        galleries.map_panels(
            of, region.row, region.finding, [name], settings, region=region, memory=budget
        )[0]
        for of, name in ((cam_explained, cam_method), (explained, method))
    )
    return [first, second]


def gallery(chosen, name, caption):
    """Two findings a row, two maps each, and a line on those without a box."""
    there = {region.finding for region in chosen}
    missing = [figures.readable(each) for each in chosen_findings if each not in there]
    if missing:
        display(Markdown(f"No marked test image: {', '.join(missing)}."))
    if not chosen:
        return None
    pairs = [pair_of_panels(region) for region in chosen]
    rows = [[*pairs[at], *(pairs[at + 1 : at + 2] or [[]])[0]] for at in range(0, len(pairs), 2)]
    return map_panels.switcher(rows, name=name, caption=caption, source=source)


def by_probability(highest):
    """For each finding the marked test image with the highest or lowest predicted probability."""
    found = []
    for finding in chosen_findings:
        of = [region for region in marked if region.finding == finding]
        of.sort(key=lambda region: explained.probability(region.row, finding), reverse=highest)
        found += of[:1]
    return found


# %% [markdown]
# ## Where the network is most sure
#
# The rule: of the test images in which the finding is marked, the one with the highest probability
# predicted by the network of the second map. The outline is the box.

# %% tags=["hide-input"]
given = explained_network.names(images, allowed=())
if given and len(given) != len(chosen_findings):
    raise ValueError(f"{len(given)} images for {len(chosen_findings)} findings: give one for each")
if given:
    wanted = {
        (explained_network.row_of(study, name), finding)
        for name, finding in zip(given, chosen_findings, strict=True)
    }
    chosen = [region for region in marked if (region.row, region.finding) in wanted]
    if len(chosen) < len(wanted):
        raise ValueError("an image that was asked for is no test image with its finding marked")
else:
    chosen = by_probability(highest=True)
titles = [saliency.METHODS[each].title for each in (cam_method, method)]
gallery(
    chosen,
    "figure-5",
    f"{titles[0]} of {cam_explained.title} and {titles[1]} of {explained.title} on "
    + ("the images asked for." if given else "the most confident right answers."),
)

# %% [markdown]
# ## Where it is least sure
#
# By the same rule, with the lowest probability: the finding is there, and the network does not see
# it.

# %% tags=["hide-input"]
gallery(
    by_probability(highest=False),
    "figure-5-missed",
    f"Marked findings to which {explained.title} gives the lowest probability.",
)
