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
# # Base training
#
# One network learns from NIH's labels alone, strategy (a) of Fig. 2 in {cite}`ho2020`. The other
# strategies start from it or are measured against it. The loss of an image with labels $y$ and
# logits $z$ is the cross-entropy of each of the 14 findings, averaged:
#
# $$ L = -\frac{1}{14} \sum_{c=1}^{14} y_c \log \sigma(z_c) + (1 - y_c) \log (1 - \sigma(z_c)) $$
#
# Run it alone, with any parameter of the next cell:
#
#     papermill notebooks/base.py build/base.ipynb -p network mobilenet-v1 -p epochs 5
#
# It costs a few minutes on two cores with preset `quick`; a run that was made before is only read.

# %% tags=["parameters", "hide-input"]
preset: str = "quick"  # a file in workflow/presets, or a path that ends in .yaml
data: str = "phantom"  # "phantom", or the folder of a data set in NIH's layout
allow_partial: bool = False  # go on with the images that are there
network: str = "mobilenet-v1"  # a name in chestkd.architectures
seed: int = 0  # draws the initial weights, the order of the images and the flips
epochs: int | None = None  # None: as the preset says
batch_size: int | None = None  # None: as the preset says
rate: float | None = None  # None: as the preset says

# %% tags=["hide-input"]
from chestkd import display, figures, tables
from chestkd.architectures import NETWORKS
from chestkd.notebooks import check_parameters
from chestkd.plan import PlannedRun
from chestkd.study import open_study

check_parameters()
study = open_study(preset, data, allow_partial=allow_partial)
specification = PlannedRun("base", network, seed).specification(
    study.preset, study.prepared.fingerprint
)
specification = specification.with_recipe(epochs=epochs, batch_size=batch_size, rate=rate)
title = NETWORKS[network].title
source = study.caption(runs=1)

# %% [markdown]
# ## The run

# %% tags=["hide-input"]
run = study.make(specification)
record = run.record
print(f"run {run.id}: {record['status']}")
print(f"{record['parameters']:,} parameters; images: {record['data']['images']}")
print(f"{record['training_seconds']:.0f} s of training on {record['machine']['processor']}")

# %% tags=["hide-input"]
history = run.history()
display.figure(
    figures.learning_curves({title: history}),
    name=f"base-{network}-curves",
    caption=f"Base training of {title}. The epoch with the highest validation AUC is kept.",
    source=source,
    alt=(
        f"Loss and validation AUC of {title} over {len(history)} epochs; the validation AUC is "
        f"highest, {history['validation_auc'].max():.3f}, in epoch {record['selected_epoch']}."
    ),
)

# %% [markdown]
# ## On the test images
#
# The area under the ROC curve of each finding, exact, with a 95 % interval from a bootstrap over
# patients. The network never saw these patients, and nothing was chosen by them.

# %% tags=["hide-input"]
if not run.diverged:
    areas = tables.run_auc_table(run, resamples=study.preset.resamples)
    shown = display.table(
        areas,
        name=f"base-{network}-auc",
        caption=f"AUC of {title} after base training, with 95 % intervals over patients.",
        source=source,
        formats=dict.fromkeys(("auc", "low", "high"), ".3f"),
    )
else:
    shown = "The loss stopped being finite, so there is no network to score."
shown

# %% tags=["hide-input"]
if not run.diverged:
    mean = areas.iloc[-1]
    shown = display.figure(
        figures.auc_intervals({title: areas}),
        name=f"base-{network}-intervals",
        caption=f"The same numbers of {title}. The dotted line is chance.",
        source=source,
        alt=f"AUC of each finding with its interval; the mean is {mean['auc']:.3f}, "
        f"{mean['low']:.3f} to {mean['high']:.3f}.",
    )
shown
