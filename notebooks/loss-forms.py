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
# # Four forms of the distillation loss
#
# Equations (5), (7) and (8) of {cite}`ho2020` are cross-entropies of one softmax over the findings,
# as if an image had exactly one. Radiographs have none, one or several. This edition therefore
# trains with a loss per finding, and keeps the three forms as printed for comparison. With labels
# $y$, student's logits $s$, teacher's logits $t$, temperature $T$ and weight $\alpha$:
#
# | name | loss |
# | --- | --- |
# | `sigmoid` | $(1 - \alpha) \, \mathrm{BCE}(y, s) + \alpha T^2 \, \overline{\mathrm{KL}}(\sigma(t/T), \sigma(s/T))$, means over findings |
# | `softmax-eq5` | $(1 - \alpha) H(y, s) + 2 \alpha T^2 H(t/T, s/T)$ |
# | `softmax-eq7` | $H(t/T, s/T) + H(y, s)$ |
# | `softmax-eq8` | $(1 - \alpha) H(y, s) + \alpha \, \mathrm{KL}(t/T, s/T)$ |
#
# Two things follow from the softmax, whatever the data.
#
# - An image without findings has no label to share out: $y = 0$, so $H(y, s) = -\sum_c y_c \log
#   \mathrm{softmax}(s)_c = 0$ for every $s$. The label of such an image teaches nothing.
# - $\mathrm{softmax}(s + k) = \mathrm{softmax}(s)$ for every constant $k$. A gradient by $s$ has no
#   part along $(1, \ldots, 1)$: nothing ties the level of the 14 logits to the image. The loss
#   asks which finding is likelier, not whether there is any.
#
# Run it alone, for any pair; base runs that are missing are made first:
#
#     papermill notebooks/loss-forms.py build/loss-forms.ipynb -p student mobilenet-v1 -p teacher densenet-121 -p epochs 4
#
# It trains the student four times for `epochs` epochs, about two minutes on two cores with preset
# `quick`. Runs that were made before are only read.

# %% tags=["parameters", "hide-input"]
preset: str = "quick"  # a file in workflow/presets, or a path that ends in .yaml
data: str = "phantom"  # "phantom", or the folder of a data set in NIH's layout
allow_partial: bool = False  # go on with the images that are there
student: str = ""  # the network that is taught; empty: the first student of the preset
teacher: str = ""  # the network whose base run teaches it; empty: the first teacher of the preset
seed: int = 0  # of both runs, and of the choice of images
images: int = 512  # at most so many training images whose gradients are computed
epochs: int = 2  # of each of the four trainings; 0: as the preset says

# %% tags=["hide-input"]
import numpy as np
from IPython.display import Markdown

from chestkd.distillation.formulas import FORMULAS
from chestkd.networks.architectures import NETWORKS
from chestkd.pages import html, loss_forms
from chestkd.pages.parameters import check_parameters
from chestkd.study.planned_runs import PlannedRun
from chestkd.study.study import open_study
from chestkd.training.batches import predict_logits
from chestkd.training.run_network import trained_network
from chestkd.training.teacher_logits import teacher_logits

FAMILIES = ("softmax", "per finding")

check_parameters()
study = open_study(preset, data, allow_partial=allow_partial)
student = student or (study.preset.students or study.preset.networks)[0]
teacher = teacher or (study.preset.teachers or study.preset.networks[-1:])[0]
planned = PlannedRun("standard", student, teacher, seed=seed)
base = study.make(study.specification(PlannedRun("base", student, seed=seed)))
teaching = study.make(study.specification(planned.teacher_run(study.preset)))
settings = study.specification(planned).teaching
pair = f"{NETWORKS[student].title} from {NETWORKS[teacher].title}"
name = study.dataset.name
print(f"{pair} on {name}; alpha {settings.alpha:g}, temperature {settings.temperature:g}")

# %% [markdown]
# ## Gradients by the student's logits
#
# On training images chosen at random: the student as base training left it, the stored outputs of
# the teacher, NIH's labels or the phantom's. The gradients are those of the library's own losses by
# automatic differentiation. The first panel shows their mean length; the second, how much of it
# moves all 14 logits together.

# %% tags=["hide-input"]
prepared, split = study.prepared, study.split
chosen = np.random.default_rng(seed).permutation(len(split.train))[:images]
labels = prepared.dataset.labels[split.train[chosen]]
student_logits = predict_logits(trained_network(base), prepared.images, split.train[chosen])
stored = teacher_logits(teaching, False, prepared, split)[chosen, 0]
functions = loss_forms.terms(settings.alpha, settings.temperature)
found = loss_forms.gradients(functions, labels, student_logits, stored)
table = loss_forms.gradient_table(found, labels)
source = study.caption(runs=2)
totals = table[table["loss"].str.startswith("total")]
described = "; ".join(
    f"{row['loss']}: length {row['length, findings']:.2g} with findings and "
    f"{row['length, none']:.2g} without, level {row['level, findings']:.2g}"
    for row in totals.to_dict("records")
)
html.figure(
    loss_forms.draw_gradients(totals),
    name="loss-forms-gradients",
    caption=f"Gradients of the four losses by the student's logits, {pair}, on {name}.",
    source=source,
    alt=f"Bars for each loss, images with and without findings. {described}.",
)

# %% tags=["hide-input"]
html.table(
    table,
    name="loss-forms-gradients-table",
    caption=f"Gradients of the terms and of the losses, {pair}, on {name}: mean length over images "
    "with findings and with none, and the share along (1, ..., 1).",
    source=source,
    formats=dict.fromkeys(table.columns[1:], ".4f"),
)

# %% tags=["hide-input"]
without = ~labels.any(axis=1)
of_all = ~prepared.dataset.labels[split.train].any(axis=1)
lines = [
    f"- {of_all.sum():,} of {len(of_all):,} training images ({of_all.mean():.0%}) have no finding; "
    f"{without.sum()} of the {len(labels)} drawn."
]
if without.any():
    hard = {family: np.abs(found[f"hard, {family}"][without]).max() for family in FAMILIES}
    lines.append(
        f"- For these the hard softmax gradient is at most {hard['softmax']:g}, the one per finding "
        f"at most {hard['per finding']:.3g}."
    )
sums = {family: np.abs(found[f"soft, {family}"].sum(axis=1)).max() for family in FAMILIES}
lines.append(
    f"- A constant added to all logits: the slope of the soft softmax term is at most "
    f"{sums['softmax']:.1e}, which is rounding; that of the soft term per finding "
    f"{sums['per finding']:.3g}."
)
Markdown("\n".join(lines))

# %% [markdown]
# ## Students taught by each form
#
# The same student, teacher, seed, alpha and temperature; only the loss differs. With `epochs`
# above 0 the rate is constant after the warm-up. The forms scale their terms differently, so that
# one learning rate is not one step size: the softmax is not the only difference in the table. "Any finding"
# is the AUC of telling images with findings from those without, by the highest of the 14 logits.

# %% tags=["hide-input", "hide-output"]
shorter = {"epochs": epochs, "drops": ()} if epochs else {}
runs = {
    formula.title: study.make(study.specification(planned, loss=name).with_recipe(**shorter))
    for name, formula in FORMULAS.items()
}

# %% tags=["hide-input"]
taught = next(iter(runs.values())).specification
rows = loss_forms.auc_rows(runs, study.preset.resamples)
html.table(
    rows,
    name="loss-forms-auc",
    caption=f"Test AUC of {pair} after {taught.recipe.epochs} epochs on {name}, by the form of the "
    "loss; the difference to the first form in points, with its 95 % interval over patients.",
    source=study.caption(runs=len(runs)),
    formats=dict.fromkeys(["mean AUC", "low", "high", "any finding"], ".3f"),
)
