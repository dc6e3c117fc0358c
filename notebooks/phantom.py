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
# # The phantom
#
# A data set of procedural chest radiographs, so that this book can be tried without 42 GiB of
# ChestX-ray14 {cite}`wang2017`. It has the 14 findings, patients with several visits, two
# views, boxes, masks and wrong labels, and is written in NIH's own layout: the reader of the real
# data reads it.
#
#     python -m chestkd phantom FOLDER --images 4000 --size 128 --seed 0
#
# Every radiograph on this page is computed; none shows a person. The page itself is made by
#
#     papermill notebooks/phantom.py build/phantom.ipynb -p seed 1
#
# in about twenty seconds.

# %% tags=["parameters", "hide-input"]
seed: int = 0  # draws patients, labels and images
size: int = 256  # side of the radiographs on this page, in pixels
images: int = 112120  # size of the label table that is compared with the real one

# %% tags=["hide-input"]
import numpy as np

from chestkd import workspace
from chestkd.pages import html, phantom
from chestkd.pages.parameters import check_parameters
from chestkd.phantom.labels import draw_plan
from chestkd.phantom.render import Visit
from chestkd.phantom.specification import PhantomSpecification
from chestkd.phantom.statistics import plan_table

check_parameters()
specification = PhantomSpecification(images=images, size=size, seed=seed, tempering=0.0)
source = f"PHANTOM · seed {seed} · {size} pixels · commit {workspace.short_commit()}"

# %% [markdown]
# ## How an image is made
#
# An X-ray image is a map of what the beam has met on its way. Each layer is a thickness map in
# the log domain: attenuations add up, and the detector sees $e^{-T}$ of the light. The chest
# starts as a solid block; the lungs take tissue away; heart, bones and vessels are put back.
# Ribs are hoops in space, brightest where they turn around the side of the chest, and vessels
# are two trees of tapering branches. The anatomy belongs to the patient; pose, breath,
# exposure, noise, lines and tubes belong to the visit. A finding changes the layers, never the
# finished pixels: fluid and pus displace air, free air takes the vessels with it, a large heart
# or a flat diaphragm is a change of shape before anything is drawn.

# %% tags=["hide-input"]
visit = Visit(46, 0, True, 58, "AP", {"Consolidation": 0.9, "Effusion": 0.6})
html.figure(
    phantom.layer_by_layer(visit, specification),
    name="phantom-layers",
    caption="The layers of one image with a consolidation and an effusion, added one after another.",
    source=source,
    alt="Nine panels from a solid white body over dark lungs, heart, bones and vessels to the "
    "finished radiograph.",
)

# %% [markdown]
# Patients differ more than visits do, which is what makes an image-wise split leak: a network
# that has seen a patient's other images has seen the same ribs and vessels.

# %% tags=["hide-input"]
html.figure(
    phantom.patients(specification),
    name="phantom-patients",
    caption="Five patients at three visits each. AP views come from portable machines: supine, "
    "less inspired, with a larger heart, more scatter, and often with lines and electrodes.",
    source=source,
    alt="Fifteen radiographs in five columns; the images of a column share their anatomy.",
)

# %% [markdown]
# ## The 14 findings
#
# A severity between 0 and 1 scales each sign. It is drawn from a Beta distribution with a subtle
# tail, and stays similar from visit to visit.
#
# A mask is what its finding changes. The image is drawn a second time without the finding, with all
# else as it was and no noise; the mask is where it differs most, grown until it contains nine tenths
# of the squared difference in gray, without small separate parts. So the mask of an atelectasis
# includes the edge of the diaphragm that is drawn up, that of a pneumothorax the collapsed lung, and
# that of a large heart is the rim by which it is too large. The box is drawn around the mask.
# `masks.npz` keeps the masks of all 14 findings and, beside each, its *sign*, the part that a
# reader would point at: the plate, the crescent, the whole heart.

# %% tags=["hide-input"]
html.figure(
    phantom.findings(specification),
    name="phantom-findings",
    caption=f"Each finding in one patient at severities {phantom.SEVERITIES}, with its box.",
    source=source,
    alt="Forty-two radiographs, three for each of the 14 findings, from subtle to marked.",
)

# %% [markdown]
# ## What only looks like a finding

# %% tags=["hide-input"]
html.figure(
    phantom.mimics(specification),
    name="phantom-mimics",
    caption="One healthy chest without and with each mimic. None of these is labeled.",
    source=source,
    alt="Twelve radiographs of one chest with nipple shadows, skin folds, scars and the like.",
)

# %% tags=["hide-input"]
html.figure(
    phantom.sizes(
        Visit(40, 0, False, 45, "PA", {"Nodule": 0.8}), specification, (64, 128, 256, 512)
    ),
    name="phantom-sizes",
    caption="One visit at four sizes. Small images are drawn larger and averaged down.",
    source=source,
    alt="The same chest with a nodule at 64, 128, 256 and 512 pixels.",
)

# %% [markdown]
# ## Patients and labels
#
# Every patient of the phantom borrows the label history of a real one, without name or number:
# official list, sex, ages, views and label sets of all its images, from the table of NIH's
# metadata that is shipped with the library (`python benchmarks/phantom_tables.py` recomputes
# it). So prevalence, co-occurrence, persistence from visit to visit, the heavy tail of images per
# patient and the shift of the official test list come together as they do in reality. By
# default rare findings are drawn somewhat more often (`tempering`), by the same factor in both
# lists, so that the shift stays; the table below is drawn at the real rates. In a small phantom a
# patient borrows only a stretch of a long history: nobody owns more than 1.5 % of the images of a
# list.
#
# These are the *recorded* labels. The truth, in `truth.csv.gz`, is derived from them: 5 % of the
# recorded labels are wrong by default, and for each finding as many are missed as NIH's first label
# release had missed where radiologists later drew boxes (42 % of the masses, 65 % of the
# pneumonias, 3 % of the large hearts). Missed findings are the subtler ones.

# %% tags=["hide-input"]
table = plan_table(draw_plan(specification))
beside = phantom.beside_the_real(table, np.random.default_rng(seed))
html.table(
    beside,
    name="phantom-statistics",
    caption=f"ChestX-ray14 beside {images:,} phantom images at the real rates. low and high bound "
    "the 95 % interval over patients; deviation is the difference in standard errors.",
    source=source,
    formats={"real": ".4g", "phantom": ".4g", "low": ".4g", "high": ".4g", "deviation": "+.1f"},
)

# %% tags=["hide-input"]
outside = int((beside["deviation"].abs() > 2).sum())
print(f"{outside} of {len(beside)} statistics differ by more than two standard errors; "
      f"about {0.05 * len(beside):.0f} are expected by chance.")  # fmt: skip

# %% tags=["hide-input"]
html.figure(
    phantom.visits(table),
    name="phantom-visits",
    caption="Patients with at least so many images.",
    source=source,
    alt="Two falling lines on logarithmic axes, real and phantom, one on the other.",
)

# %% [markdown]
# ## A planted shortcut
#
# With `--shortcut Effusion`, a tube that has nothing to do with the lungs accompanies the finding in
# AP views. A network may then learn the tube, and a saliency map that lights it up is caught.

# %% tags=["hide-input"]
html.figure(
    phantom.shortcut(specification),
    name="phantom-shortcut",
    caption="The same AP view without and with the planted tube.",
    source=source,
    alt="Two radiographs of one chest; the right one has a thick tube at the right of the image.",
)

# %% [markdown]
# ## What can be learned from it
#
# The data set has to be learnable, but not trivial, and a stronger network has to be better than a
# weaker one, or there is nothing to distill. Three models, each trained alone on the phantom of
# preset `quick` with more images: a logistic regression on pooled pixels, a small network and a
# large one. At 128 pixels the small one is also trained for twice as many epochs, which it needs to
# be clearly better than the linear model; the large one was not. The differences are paired over the
# same patients. These trainings take an hour on two cores, so this page only shows what the benchmark
# has recorded:
#
#     python benchmarks/learnability.py --size 64 --images 6000
#     python benchmarks/learnability.py --size 128 --images 4000 --longer 20

# %% tags=["hide-input"]
measured = phantom.recorded("learnability-64")
html.table(
    phantom.learnability_table(measured),
    name="phantom-learnability-64",
    caption="Test AUC of three models at 64 px, with 95 % intervals over patients. "
    f"Means: {phantom.learnability_differences(measured)}.",
    source=phantom.recorded_source(measured),
)

# %% tags=["hide-input"]
measured = phantom.recorded("learnability-128")
html.table(
    phantom.learnability_table(measured),
    name="phantom-learnability-128",
    caption="Test AUC of three models at 128 px, with 95 % intervals over patients. "
    f"Means: {phantom.learnability_differences(measured)}.",
    source=phantom.recorded_source(measured),
)

# %% [markdown]
# ### What splitting by image adds
#
# The same network is evaluated on the same test images twice: trained on other patients only, and
# trained on as many images of which some show the very patients of the test, as in a split by image.
# The second AUC is higher, because the network knows these patients' ribs and vessels together with
# findings that recur from visit to visit.
#
#     python benchmarks/leak.py --images 6000 --seeds 3

# %% tags=["hide-input"]
leaking = phantom.recorded("leak")
columns = ["seed", "patient-wise", "image-wise", "difference", "low", "high", "test images"]
html.table(
    leaking[columns],
    name="phantom-leak",
    caption=f"Mean test AUC of {leaking['network'][0]} at {leaking['size'][0]} px by what it "
    "was trained on, and the paired difference with its 95 % interval over patients.",
    source=phantom.recorded_source(leaking),
    formats=dict.fromkeys(("patient-wise", "image-wise"), ".3f")
    | dict.fromkeys(("difference", "low", "high"), "+.3f"),
)

# %% [markdown]
# ## What the phantom cannot tell
#
# - It says whether code runs, whether a method finds a signal that is there, and how large an
#   effect has to be to be seen. It says nothing about how well a network reads radiographs.
# - Each finding has one kind of sign, drawn by rules that a network can learn exactly. Real findings
#   have many, and real labels come from reports, with errors that depend on the image in ways that
#   are not drawn here.
# - The labels share the real statistics because they are borrowed. That findings come together
#   is in the labels; that one causes the other is not in the images.
# - Severities, mimics and noise were tuned so that the AUCs of small networks spread about as
#   those reported for ChestX-ray14. An AUC on the phantom is therefore no evidence about that data.
# - Strategies and networks may rank differently on real radiographs.
