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
# # Defective distillation
#
# As standard distillation, but the teacher was stopped early, strategy (d) of Fig. 2 in
# {cite}`ho2020`. The paper stops it after 50 of 200 "iterations", read as epochs; here it is the
# teacher's own checkpoint a quarter of the way through its base run, so that no run is added.
#
# Run it alone; a teacher that has not been trained yet is trained first:
#
#     papermill notebooks/defective.py build/defective.ipynb -p network mobilenet-v1 -p teacher densenet-121 -p alpha 0.9 -p temperature 2
#
# It costs what base training of the student costs, once the teacher is there.

# %% tags=["parameters", "hide-input"]
preset: str = "quick"  # a file in workflow/presets, or a path that ends in .yaml
data: str = "phantom"  # "phantom", or the folder of a data set in NIH's layout
allow_partial: bool = False  # go on with the images that are there and can be decoded
network: str = "mobilenet-v1"  # the network that is trained
teacher: str = "densenet-121"  # the network whose base run teaches it
alpha: float = -1.0  # weight of the teacher's term, 0 to 1; -1: as the preset says
temperature: float = 0.0  # 0: as the preset says
loss: str = ""  # sigmoid, softmax-eq5, softmax-eq7 or softmax-eq8; empty: as the preset says
seed: int = 0  # draws the initial weights, the order of the images and the flips
epochs: int = 0  # 0: as the preset says
batch_size: int = 0  # 0: as the preset says
rate: float = 0.0  # learning rate for a batch of 128; 0: as the preset says

# %% tags=["hide-input"]
from chestkd import report
from chestkd.architectures import NETWORKS
from chestkd.notebooks import check_parameters
from chestkd.plan import PlannedRun
from chestkd.study import open_study

check_parameters()
study = open_study(preset, data, allow_partial=allow_partial)
planned = PlannedRun("defective", network, seed, teacher).with_distillation(alpha, temperature)
title = f"{NETWORKS[network].title}, defective"

# %% [markdown]
# ## The run

# %% tags=["hide-input"]
base = study.make(study.specification(PlannedRun("base", network, seed)))
teaching = study.make(study.specification(planned.base))
specification = study.specification(planned, loss=loss or None).with_recipe(
    epochs=epochs or None, batch_size=batch_size or None, rate=rate or None
)
run = study.make(specification)
report.facts(run)
print(
    f"taught by {specification.teaching.teacher}, loss {specification.teaching.loss}, "
    f"alpha {specification.teaching.alpha:g}, temperature {specification.teaching.temperature:g}"
)

# %% tags=["hide-input"]
base_title = f"{NETWORKS[network].title}, base"
report.curves(
    study,
    {title: run, base_title: base},
    planned.key,
    f"{title}, and the same network without a teacher. The losses differ in what they measure.",
)

# %% [markdown]
# ## On the test images
#
# The difference to base training is paired: the same patients are drawn for both.

# %% tags=["hide-input"]
teacher_title = f"{NETWORKS[teacher].title}, base (the teacher)"
report.against(study, run, title, {base_title: base, teacher_title: teaching}, planned.key)

# %% tags=["hide-input"]
report.aucs(study, run, title, planned.key)

# %% tags=["hide-input"]
report.intervals(study, {title: run, base_title: base}, planned.key)
