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
# # Table 2: training time of every strategy
#
# Table 2 of {cite}`ho2020` gives minutes on a GeForce GTX 1070. Here they are beside the minutes that
# the runs of this edition took, both also as ratios to base training of the same network, which can
# be compared across hardware.
#
# A measured time is that of the run's own {term}`epochs <epoch>`. It leaves out validation and, for a taught run,
# its teacher: the teacher's training, and the one pass in which the teacher's outputs are stored.
# A student's epoch then costs what an epoch of base training costs. The paper does not say what its
# minutes include. The second table adds the teacher's base training, which is the cost of starting
# with nothing; for a {term}`defective teacher` it adds the first quarter.
#
#     papermill notebooks/table-2.py build/table-2.ipynb -p preset quick
#
# It trains nothing and costs seconds.

# %% tags=["parameters", "hide-input"]
preset: str = "quick"  # a file in workflow/presets, or a path that ends in .yaml
data: str = "phantom"  # "phantom", or the folder of a data set in NIH's layout
allow_partial: bool = False  # go on with the images that are there

# %% tags=["hide-input"]
from IPython.display import Markdown

from chestkd.pages import html, table_2
from chestkd.pages.parameters import check_parameters
from chestkd.paper import training_time
from chestkd.study import table_cells, training_times
from chestkd.study.study import open_study

check_parameters()
study = open_study(preset, data, allow_partial=allow_partial)
planned = table_cells.cells(study)
times = table_2.table2(planned)
runs = table_cells.runs_of(planned)
source = study.caption(runs=len(runs))
name = study.dataset.name
images = study.describe()["train"]
print(f"{name}, {images:,} training images of {study.preset.size} px")
print("\n".join(training_times.origins(runs)))

# %% [markdown]
# ## Run by run
#
# Minutes, images a second and ratios are means over the seeds. Images a second are the median over
# all epochs but the first, in which the graph is built. The ratio compares minutes, which include
# that start-up.

# %% tags=["hide-input"]
TIMES = {"paper minutes": ".0f", "minutes": ".1f", "minutes in all": ".1f", "images/s": ",.0f"}
RATIOS = dict.fromkeys(["paper ratio", "ratio", "ratio by images/s", "ratio in all"], ".2f")
html.table(
    table_2.run_by_run(times),
    name="table-2",
    caption=f"Minutes and their ratio to base training, in the paper and on {name}.",
    source=source,
    formats=TIMES | RATIOS,
)

# %% [markdown]
# ## The whole procedure
#
# With the teacher's training, and by images a second, which do not include the start-up. Times are
# compared only between runs on the same hardware.

# %% tags=["hide-input"]
html.table(
    table_2.whole_procedure(times),
    name="table-2-whole",
    caption=f"Taught runs on {name} with the training of their teachers.",
    source=source,
    formats=TIMES | RATIOS,
)

# %% [markdown]
# ## What a teacher adds
#
# The clock of a run says what else its machine did. Here epochs of base training and of
# self-training were timed in turn, on a machine that did nothing else
# (`benchmarks/teaching.py`). Marginal: a taught run over a base run. Whole: with the base run and
# the stored outputs that it needs, which is what the paper's "about twice" can mean.

# %% tags=["hide-input"]
cost = table_2.teaching_cost(planned, study.preset.resamples)
shown = Markdown("Nothing was timed at this size.")
if len(cost):
    shown = html.table(
        cost,
        name="teaching-cost",
        caption=f"Cost of self-training in base trainings, at {study.preset.size} px, with 95 % "
        "intervals over rounds.",
        source=source,
        formats=dict.fromkeys([name for name in cost if name[:5] in ("margi", "whole")], ".2f"),
    )
shown

# %% [markdown]
# ## What the paper's minutes cannot be
#
# {doc}`paper-audit` has more on Table 2.

# %% tags=["hide-input"]
ours = times.query("network == 'DenseNet-121' and strategy == 'base' and runs > 0")
ours = ours.dropna(subset="images/s")
text = training_time.speed_in_words(training_time.densenet121_speed())
for row in ours.itertuples():
    text += (
        f"\n\nHere DenseNet-121 trained on {times.loc[row.Index, 'images/s']:,.0f} images a second "
        f"of {study.preset.size} x {study.preset.size} pixels ({row.hardware})."
    )
Markdown(text)
