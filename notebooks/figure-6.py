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
# # Figure 6: the course of self-training
#
# Figure 6 of {cite}`ho2020` has two panels for DenseNet-121 over 200 iterations: training and
# validation {term}`accuracy` of self-training, and its training accuracy beside that of base
# training. The text cites it for a "stable and accurate performance" and for an improvement over
# base training; it prints none of its numbers and does not say what accuracy means for 14 findings.
# Here are the same curves as recorded by the runs of this study, and those of loss and AUC.
#
# Training accuracy is that of the images as they are trained on, mirrored at random, while the
# weights change; the loss of self-training has a soft term that base training has not. Only
# validation curves compare like with like. No test image plays a part on this page.
#
#     papermill notebooks/figure-6.py build/figure-6.ipynb -p preset quick -p network resnet-32
#
# It trains nothing and takes seconds.

# %% tags=["parameters", "hide-input"]
preset: str = "quick"  # a file in workflow/presets, or a path that ends in .yaml
data: str = "phantom"  # "phantom", or the folder of a data set in NIH's layout
allow_partial: bool = False  # go on with the images that are there
network: str = ""  # the network that teaches itself; empty: see the printed line below
seed: int = -1  # the seed of its runs; -1: the first of the preset

# %% tags=["hide-input"]
from IPython.display import Markdown

from chestkd.networks.architectures import NETWORKS
from chestkd.pages import figure_6, html
from chestkd.pages.parameters import check_parameters
from chestkd.pages.run_figures import learning_curves
from chestkd.study.study import open_study

check_parameters()
study = open_study(preset, data, allow_partial=allow_partial)
planned = figure_6.compared(study.preset, network, seed)
runs = {title: study.find(each) for title, each in planned.items()}
missing = [title for title, run in runs.items() if run is None or run.diverged]
title = NETWORKS[planned["base"].network].title
name = study.dataset.name
source = study.caption(runs=len(runs) - len(missing))
print(f"{title}, seed {planned['base'].seed}, on {study.data_name}")
print("\n".join(f"no finished run of {each}" for each in missing) or "both runs exist")

# %% tags=["hide-input"]
histories = {each: run.history() for each, run in runs.items() if run is not None}
absent = figure_6.always_absent(study.prepared.dataset.labels[study.split.validation])
shown = Markdown("Figure 6 needs both runs.")
if not missing:
    taught, base = histories["self-training"], histories["base"]
    numbers = figure_6.summary(taught, base, absent)
    words = "; ".join(
        f"{row['accuracy']} accuracy at the end {row['self-training']:.1f} % against "
        f"{row['base']:.1f} % of base training"
        for row in numbers.to_dict("records")
    )
    shown = html.figure(
        figure_6.accuracy_curves(taught, base, absent),
        name="figure-6",
        caption=f"Accuracy of {title} by epoch, on {name}. Dotted: calling every finding absent.",
        source=source,
        alt=f"Accuracy by epoch over {len(taught)} epochs of self-training: {words}. Calling every "
        f"finding absent is right in {100 * absent:.1f} % of the validation pairs.",
    )
shown

# %% [markdown]
# ## What the curves end at
#
# Accuracies are in percent of all pairs of an image and a finding, differences and deviations in
# points. The deviation is over the last quarter of the epochs. Each side is one run of one seed;
# {doc}`table-1` says how much two runs of one procedure differ.

# %% tags=["hide-input"]
shown = Markdown("There is nothing to sum up.")
if not missing:
    columns = [column for column in numbers.columns if column != "accuracy"]
    shown = html.table(
        numbers,
        name="figure-6-numbers",
        caption=f"Accuracy of {title} at the last epoch, on {name}.",
        source=source,
        formats=dict.fromkeys(columns, ".2f") | {"difference": "+.2f"},
    )
shown

# %% [markdown]
# ## Loss and AUC
#
# The epoch with the highest mean validation AUC is the one that is kept and tested. The validation
# loss is the cross-entropy to the labels for both.

# %% tags=["hide-input"]
shown = Markdown("There is no run to draw.")
if histories:
    words = "; ".join(
        f"{each}: highest validation AUC {history['validation_auc'].max():.3f} in epoch "
        f"{history['epoch'][history['validation_auc'].idxmax()]}"
        for each, history in histories.items()
    )
    shown = html.figure(
        learning_curves(histories),
        name="figure-6-loss",
        caption=f"Loss and validation AUC of {title} by epoch, on {name}.",
        source=source,
        alt=f"Loss and validation AUC by epoch. {words}.",
    )
shown

# %% [markdown]
# ## The record

# %% tags=["hide-input"]
shown = Markdown("There is no run.")
if histories:
    record = figure_6.histories(histories)
    shown = html.table(
        record,
        name="figure-6-record",
        caption=f"Every epoch as it was recorded: {title} on {name}.",
        source=source,
        formats=dict.fromkeys(record.columns[1:], ".4f"),
    )
shown
