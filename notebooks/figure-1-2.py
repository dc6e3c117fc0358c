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
# # Figures 1 and 2: distillation, and the five strategies
#
# Figure 1 of {cite}`ho2020` shows how a student learns from a teacher {cite}`hinton2015`, Figure 2
# who teaches whom in each of the five strategies. Both are drawn here from the code that trains:
# Figure 1 from the formula of the study's loss in `chestkd/distillation/formulas.py`, Figure 2 from
# the table in `chestkd/distillation/strategies.py`. They are this project's drawings, not copies of
# the paper's.
#
#     papermill notebooks/figure-1-2.py build/figure-1-2.ipynb -p preset quick
#
# It trains nothing and takes seconds.

# %% tags=["parameters", "hide-input"]
preset: str = "quick"  # a file in workflow/presets, or a path that ends in .yaml
data: str = "phantom"  # "phantom", or the folder of a data set in NIH's layout
allow_partial: bool = False  # go on with the images that are there

# %% tags=["hide-input"]
from chestkd.distillation.formulas import FORMULAS
from chestkd.distillation.strategies import STRATEGIES
from chestkd.pages import figure_1_2, html
from chestkd.pages.parameters import check_parameters
from chestkd.study.study import open_study

check_parameters()
study = open_study(preset, data, allow_partial=allow_partial)
name = study.preset.distillation.loss
formula = FORMULAS[name]
source = study.caption()

# %% [markdown]
# ## How a student learns
#
# $t$ and $s$ are the {term}`logits <logit>` of teacher and student, $y$ the labels, $T$ the
# {term}`temperature` and $\alpha$ the teacher's share of the loss. Logits divided by $T$ give
# {term}`soft targets <soft target>`. The teacher is frozen and flips are the only random change of
# the images, so its logits are computed once, for every training image and its mirror image.

# %% tags=["hide-input"]
try:
    alpha, temperature = study.chosen_distillation
    print(f"loss {name}: {formula}, with a = {alpha:g} and T = {temperature:g}")
except LookupError as reason:
    print(f"loss {name}: {formula}; a and T are not chosen yet: {reason}")
html.figure(
    figure_1_2.draw_loss(formula),
    name="figure-1",
    caption=f"Distillation with the loss {name} of preset {study.preset.name}. Blue: "
    "the soft term. Orange: the hard term.",
    source=source,
    alt=figure_1_2.loss_words(formula),
)

# %% [markdown]
# ## Who teaches whom
#
# In each pair the smaller network is called {term}`student` and the larger one {term}`teacher`,
# even where the student teaches. The network in blue is trained last; its AUC counts for the
# strategy.

# %% tags=["hide-input"]
html.figure(
    figure_1_2.draw_strategies(STRATEGIES, formula),
    name="figure-2",
    caption="The strategies. An arrow ends at the network that learns and starts at what "
    "it learns from.",
    source=source,
    alt=figure_1_2.strategies_words(STRATEGIES),
)

# %% tags=["hide-input"]
html.table(
    figure_1_2.table(STRATEGIES),
    name="figure-2-table",
    caption="The strategies in words.",
    source=source,
)
