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
# # Can these maps be trusted?
#
# {cite}`ho2020` shows saliency maps and calls them accurate. This page measures three things that
# a map should do before anyone looks at it: add up, depend on what the network has learned, and
# point at the finding where its place is known.
#
#     papermill notebooks/saliency-trust.py build/saliency-trust.ipynb -p preset quick
#
# It trains nothing: it explains existing base runs. Under a minute on two cores with preset
# `quick`. More images, samples and steps narrow the intervals and are parameters.

# %% tags=["parameters", "hide-input"]
preset: str = "quick"  # a file in workflow/presets, or a path that ends in .yaml
data: str = "phantom"  # "phantom", or the folder of a data set in NIH's layout
allow_partial: bool = False  # go on with the images that are there
network: str = "inception-v3"  # the paper's; the study's best network if it has no run of this one
methods: str = "gradient, guided-backpropagation, smoothgrad, integrated-gradients, smoothgrad-integrated-gradients, cam"  # maps to measure
samples: int = 5  # noisy copies of an image, for SmoothGrad
steps: int = 5  # gradients on the path, for integrated gradients
sigma: float = 0.15  # deviation of the noise, as a share of the image's range of gray levels
path_images: int = 4  # test images on which integrated gradients must add up
most_steps: int = 64  # the most steps tried there
random_images: int = 4  # test images whose maps are compared after randomizing weights
random_stages: int = 4  # how many depths are randomized
per_finding: int = 0  # marked regions of each finding in test images; 0 takes all
seed: int = 0  # draws the images, the random weights and the noise
memory: float = 2.0  # GiB for the activations of one batch

# %% tags=["hide-input"]
import numpy as np
from IPython.display import Markdown, display

from chestkd.data.splits import SplitError
from chestkd.evaluation import localization_tables, marked_regions
from chestkd.evaluation.localization import OVERLAPS
from chestkd.findings import FINDINGS, readable
from chestkd.networks.architectures import NETWORKS
from chestkd.pages import claim_11, html, saliency_trust
from chestkd.pages.parameters import check_parameters, names
from chestkd.saliency.methods import METHODS, Settings
from chestkd.study.explained_network import base_runs, explained_network, require_official
from chestkd.study.study import open_study

check_parameters()
study = open_study(preset, data, allow_partial=allow_partial)
chosen_methods = names(methods, tuple(METHODS))
titles = {name: METHODS[name].title for name in chosen_methods}
settings = Settings(samples=samples, steps=steps, sigma=sigma, seed=seed)
budget = int(memory * 2**30)
explained = explained_network(study, network)
source = study.caption(runs=1)
if explained.note:
    display(Markdown(explained.note))

# %% [markdown]
# ## Do integrated gradients add up?
#
# By construction the map of integrated gradients {cite}`sundararajan2017` sums to the difference
# between the logit of the image and that of the baseline, a black radiograph. The integral is a
# sum over steps (Gauss-Legendre), so the error says whether there were enough of them. It falls
# slowly, because the gradient of a network of ReLUs jumps along the path. The images are the first
# of the test part, the finding is the most common in it.

# %% tags=["hide-input"]
finding = FINDINGS[int(explained.labels.sum(axis=0).argmax())]
ladder = [2**power for power in range(2, 10) if 2**power <= most_steps]
errors = {}
for name in base_runs(study):
    other = explained_network(study, name, again=explained)
    errors[NETWORKS[name].title] = saliency_trust.completeness(
        other.model, finding, other.images[other.rows[:path_images]], ladder, memory=budget
    )
medians = {
    title: table[table["steps"] == ladder[-1]]["error"].median() for title, table in errors.items()
}
html.figure(
    saliency_trust.draw_completeness(errors, 0.01),
    name="completeness",
    caption=f"Error of integrated gradients for {readable(finding)} on {path_images} test images.",
    source=study.caption(runs=len(errors)),
    alt="Error against steps. Median at the most steps: "
    + "; ".join(f"{title} {error:.2%}" for title, error in medians.items()),
)

# %% [markdown]
# ## Do the maps depend on what was learned?
#
# The check of {cite}`adebayo2018`: the weights are drawn anew, layer by layer from the logits
# down, until nothing of the training is left. A map that stays the same shows the image, not what
# the network knows. Similarity is taken between the maps as drawn, without sign: rank correlation of
# the pixels, and the structural similarity SSIM. Guided backpropagation is known to fail here.

# %% tags=["hide-input"]
generator = np.random.default_rng(seed)
positive = explained.rows[explained.labels[:, FINDINGS.index(finding)] == 1]
chosen = np.sort(generator.permutation(positive)[:random_images])
table = saliency_trust.randomized(
    explained.model,
    finding,
    explained.images[chosen],
    chosen_methods,
    settings,
    stages=random_stages,
    generator=generator,
    memory=budget,
    progress=study.progress,
)
html.figure(
    saliency_trust.draw_randomized(table, titles),
    name="randomization",
    caption=f"Similarity to the maps of the trained {explained.title} for "
    f"{readable(finding)}, mean of {len(chosen)} test images that have it.",
    source=source,
    alt="Two panels, rank correlation and SSIM, falling from 1 as layers are randomized, one line "
    "for each map.",
)

# %% tags=["hide-input"]
html.table(
    saliency_trust.all_random(table, titles),
    name="randomized",
    caption="Similarity to the trained network's maps when all weights are random.",
    source=source,
    formats={"rank correlation": ".2f", "SSIM": ".2f"},
)

# %% [markdown]
# ## Do they point at the finding?
#
# Each map is compared with the marked region of its finding in test images: NIH's boxes, of eight
# findings, or on the phantom the exact mask of all 14. Two baselines never saw the image: a blob
# at its center, and noise. Cardiomegaly is where the center is, so that pointing there proves
# nothing.
#
# - **pointing**: does the maximum of the map lie in the region?
# - **energy**: which share of the map's evidence lies in it?
# - **IoU > T**, **IoBB > T**: does a box around what the map marks overlap the region's box by more
#   than T {cite}`wang2017`? A map marks what exceeds its own threshold by Otsu's method; nothing is
#   tuned. IoBB divides by the area of the marked box, so small boxes are easily right: how many are
#   marked, and how many lie elsewhere, is in the same table.
#
# All maps are blurred alike, by 2 % of the image's side. For a gradient or a path the absolute
# value counts, for CAM what is above its lowest value: its zero means nothing, because a constant
# added to the map can be subtracted from the bias of the finding. Intervals resample patients:
# a finding with regions of fewer than five patients has none and is left out of the mean, and an
# interval without width only says that all maps there agree. The network must have been trained
# on the official split: all boxes are in its test list, and in the training part of other splits.

# %% tags=["hide-input"]
scores = {}
try:
    require_official(explained.run, study.split)
    marked = marked_regions.all_regions(study.prepared.dataset, study.split, explained.size)
    chosen = marked_regions.choose(marked, per_finding or None, seed)
    if chosen:
        scores = saliency_trust.localized(
            explained,
            chosen,
            chosen_methods,
            settings,
            generator=generator,
            memory=budget,
            progress=study.progress,
        )
    else:
        display(Markdown("No finding is marked in any test image."))
except SplitError as error:
    display(Markdown(f"No table: {error}."))
if scores:
    localization = localization_tables.localization_table(scores, resamples=study.preset.resamples)

# %% tags=["hide-input"]
shown = None
if scores:
    shown = html.table(
        localization_tables.readable_table(localization, "pointing"),
        name="pointing",
        caption=f"Pointing game of {explained.title}: share of maps whose maximum lies in the "
        "region, with 95 % intervals over patients.",
        source=source,
    )
shown

# %% tags=["hide-input"]
if scores:
    shown = html.table(
        localization_tables.readable_table(localization, "energy"),
        name="energy",
        caption=f"Share of the evidence of {explained.title} that lies in the region, with 95 % "
        "intervals over patients.",
        source=source,
    )
shown

# %% tags=["hide-input"]
if scores:
    shown = html.table(
        saliency_trust.means(localization),
        name="localization",
        caption=f"All measures of {explained.title}, means over the findings; constant: the share "
        "of maps without any evidence.",
        source=source,
        formats=dict.fromkeys(("pointing", "energy", "constant", *OVERLAPS), ".2f")
        | dict.fromkeys(("marked boxes", "boxes elsewhere"), ".1f"),
    )
shown

# %% tags=["hide-input"]
if scores:
    shown = html.figure(
        saliency_trust.draw_localization(localization, ("pointing", "energy", "IoBB > 0.1")),
        name="localization-means",
        caption=f"Three of the measures of {explained.title}, means over the findings with 95 % "
        "intervals over patients.",
        source=source,
        alt="Three panels, one for each measure, with a point and an interval for each map and "
        "for the two baselines.",
    )
shown

# %% [markdown]
# A map is worth looking at where it beats both baselines: the same differences on the same
# resamples of the patients.

# %% tags=["hide-input"]
if scores:
    shown = html.table(
        saliency_trust.against_baselines(
            scores, ("pointing", "energy", "IoBB > 0.1"), resamples=study.preset.resamples
        ),
        name="against-baselines",
        caption=f"Maps of {explained.title} minus the baselines, means over the findings with 95 % "
        "intervals over patients.",
        source=source,
    )
shown

# %% [markdown]
# ## SmoothGrad integrated gradients against CAM
#
# The paper's claim from Figure 5, measured: the difference between the two maps of the same
# network on the same regions, on the same resamples of the patients. An interval that includes 0
# leaves the claim undecided. To be better than CAM means little where neither beats the baselines
# above.

# %% tags=["hide-input"]
ours, cam = "SmoothGrad integrated gradients", "CAM"
shown = None
if {ours, cam} <= scores.keys():
    shown = html.table(
        saliency_trust.one_against_another(scores, ours, cam, resamples=study.preset.resamples),
        name="sgig-against-cam",
        caption=f"{ours} minus {cam}, both of {explained.title}, mean over the findings.",
        source=source,
        formats=dict.fromkeys(("difference", "low", "high"), "+.3f"),
    )
shown

# %% [markdown]
# The ledger of claims ({doc}`claims`, C11) judges by the first row, the pointing game, finding by
# finding.

# %% tags=["hide-input"]
effects = claim_11.map_effects(
    {name: scores[title] for name, title in titles.items() if title in scores},
    resamples=study.preset.resamples,
)
claim_11.store(
    study.folder,
    effects,
    explained.run.id,
    {
        "network": explained.title,
        "regions": len(scores[ours]) if ours in scores else 0,
        "patients": int(scores[ours]["patient"].nunique()) if ours in scores else 0,
        "samples": samples,
        "steps": steps,
        "sigma": sigma,
        "per_finding": per_finding,
        "seed": seed,
        "resamples": study.preset.resamples,
    },
)
Markdown(claim_11.origin(study.folder) or "Nothing to compare for C11.")

# %% [markdown]
# ## What others measured
#
# - {cite}`wang2017`, who published the boxes, report for T(IoBB) = 0.1 a mean accuracy of 0.629
#   over the eight boxed findings, with thresholds on the heat maps that they fixed. It is a number on
#   NIH's radiographs: the phantom's are not comparable with it.
# - {cite}`saporta2022` compared seven saliency methods on chest radiographs with radiologists who
#   marked the same images. All were worse than the radiologists, most of all on small findings and
#   those of complex shape.
# - {cite}`arun2021` put eight saliency methods to four tests, among them randomized weights and
#   repeated training. Each of the eight failed at least one.
#
# So a map is a hint about the network, not a finding about the patient.
