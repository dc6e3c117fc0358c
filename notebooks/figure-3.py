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
# # Figure 3: an example of every finding
#
# Figure 3 of {cite}`ho2020` shows a radiograph for each of the 14 findings. Here they are chosen by
# a rule, not by eye: an image with a box of the finding before one without, few labels before many,
# then at random. Boxes are drawn where the data has them.
#
#     papermill notebooks/figure-3.py build/figure-3.ipynb -p preset quick -p findings "Edema, Mass"
#
# It takes seconds once the data is prepared.

# %% tags=["parameters", "hide-input"]
preset: str = "quick"  # a file in workflow/presets, or a path that ends in .yaml
data: str = "phantom"  # "phantom", or the folder of a data set in NIH's layout
allow_partial: bool = False  # go on with the images that are there and can be decoded
findings: str = ""  # names with commas; "": all 14
images: str = ""  # one image name for each finding; "": by the rule
size: int = 0  # side to which the radiographs are resized, in pixels; 0: as they are
example_seed: int = 0  # chooses among images that the rule ranks alike

# %% tags=["hide-input"]
from chestkd.findings import FINDINGS, readable
from chestkd.pages import figure_3, html
from chestkd.pages.parameters import check_parameters, images_by_finding, names
from chestkd.study.study import open_study

check_parameters()
study = open_study(preset, data, allow_partial=allow_partial)
dataset = study.prepared.dataset
wanted = names(findings) or list(FINDINGS)
given = images_by_finding(images, wanted)
if given:
    chosen = figure_3.by_name(dataset, given)
else:
    by_rule = figure_3.choose_examples(dataset, example_seed)
    chosen = {name: by_rule[name] for name in wanted if name in by_rule}
missing = [readable(name) for name in wanted if name not in chosen]

# %% tags=["hide-input"]
figure = None
if chosen:
    figure = html.figure(
        figure_3.draw_examples(dataset, chosen, size),
        name="figure-3",
        caption=f"One {'PHANTOM ' if dataset.name == 'PHANTOM' else ''}radiograph for each finding"
        + (", the images asked for." if given else ".")
        + (f" Not in the data: {', '.join(missing)}." if missing else ""),
        source=study.caption(),
        alt=f"{len(chosen)} frontal chest radiographs, one for each finding, with boxes.",
    )
figure

# %% [markdown]
# ## Where the rule falls short
#
# An image is an example of its finding and of nothing else only if it has no other label and a box
# says where to look.

# %% tags=["hide-input"]
html.table(
    figure_3.labels_beside(dataset, chosen),
    name="figure-3-labels",
    caption="What else the images above are labeled with, and how many boxes of the finding they "
    "have.",
    source=study.caption(),
)
