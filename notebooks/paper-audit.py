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
# # Where the paper disagrees with itself
#
# Before the measured numbers, the published ones {cite}`ho2020`. Every point below is computed
# from the paper's own tables and text, which are CSV files in `chestkd/paper/`, and from counts
# of NIH's label and box tables {cite}`wang2017`. No result is typed in. Gains and differences
# are in percentage points of AUC. The last section says what agrees.
#
#     papermill notebooks/paper-audit.py build/paper-audit.ipynb
#
# It trains nothing and costs seconds.

# %% tags=["parameters", "remove-cell"]
# This page has no parameters.

# %% tags=["hide-input"]
import pandas as pd
from IPython.display import HTML, Markdown
from IPython.display import display as output

from chestkd.networks.architectures import NETWORKS
from chestkd.pages import html
from chestkd.pages.parameters import check_parameters
from chestkd.paper import audit, published, training_time

check_parameters()
TITLES = {name: network.title for name, network in NETWORKS.items()}
TABLES = {number: f"Ho & Gwak (2020), Table {number}" for number in (1, 2, 3)}
FORMATS = {
    **dict.fromkeys(["auc", *published.STRATEGIES], ".4f"),
    **dict.fromkeys(["gain", "teacher_gain", "student_gain"], "+.2f"),
    **dict.fromkeys(["printed", "computed", "best_gain"], ".2f"),
}


def say(text: str) -> None:
    """Show text whose numbers were computed."""
    output(Markdown(text))


def show(frame: pd.DataFrame, name: str, caption: str, source: str, **formats: str) -> HTML:
    """A table for the book with the titles of networks, and yes or no for truth values."""
    frame = frame.replace(TITLES)
    for column in frame.select_dtypes("bool"):
        frame[column] = frame[column].map({True: "yes", False: "no"})
    headings = {column: column.replace("_", " ").replace("auc", "AUC") for column in frame}
    formats = {headings.get(name, name): form for name, form in (FORMATS | formats).items()}
    frame = frame.rename(columns=headings)
    return html.table(frame, name=f"audit-{name}", caption=caption, source=source, formats=formats)


# %% [markdown]
# ## The abstract's gains compare two different networks
#
# The abstract gives two figures for how much self-training improves the AUC "up to", over base
# training and over standard distillation. For each figure Table 1 has one pair of runs of these
# strategies that are that far apart, and the two runs are of different networks. The last two
# columns give the largest gain with the same network on both sides.

# %% tags=["hide-input"]
gains = audit.abstract_gains()
for gain in gains.itertuples():
    say(
        f"**{gain.printed} points over {gain.reference}** is {TITLES[gain.network]} against "
        f"{TITLES[gain.reference_network]}; like for like it is at most **{gain.best_gain:.2f}** "
        f"({TITLES[gain.best_network]})."
    )
table = gains.rename(columns={"network": "self-trained", "reference_network": "compared with"})
show(table, "abstract", "The two gains of the abstract", TABLES[1])

# %% [markdown]
# ## Five self-trained networks, four printed gains
#
# Section IV-C names five networks and gives four gains, in order. The first three are the
# differences in Table 1.

# %% tags=["hide-input"]
gains = audit.text_gains()
gains = gains[gains["strategy"] == "self-training"]
odd = gains[~gains["agrees"] & gains["gain"].notna()].iloc[0]
pairs = len(audit.runs_apart(odd["gain"]))
say(
    f"The printed {odd['gain']} for {odd['printed_network']} is {odd['computed']} in Table 1. "
    f"Pairs of runs in Table 1 that are {odd['gain']} points apart: **{pairs}**."
)
table = gains[["network", "printed_network", "gain", "computed", "agrees"]]
table = table.rename(columns={"gain": "printed"})
show(table, "self-training-gains", "Gain of self-training over base training", TABLES[1])

# %% [markdown]
# The text says MobileNet-v2 where Tables 1 and 2 say MobileNet-v1. Under either name the gains
# are those of the row in the tables.

# %% [markdown]
# ## Self-training seldom beats standard distillation
#
# The abstract says that self-training outperforms "normal" distillation. Section IV-C says the
# opposite, except for DenseNet-121.

# %% tags=["hide-input"]
table = audit.self_training_against_standard()
better = table[table["gain"] > 0]
students = sorted(TITLES[name] for name in set(better.index.get_level_values("student")))
say(
    f"Self-training is better in **{len(better)} of {len(table)}** rows of Table 1, "
    f"all of them of {', '.join(students)}."
)
caption = "Self-training against standard distillation"
show(table.reset_index(), "self-training-standard", caption, TABLES[1])

# %% [markdown]
# ## One procedure, three results
#
# Table 1 lists DenseNet-121 taught by DenseNet-121 as self-training, as standard distillation and
# as reversed distillation. These are one procedure: the network learns from the soft targets of its
# own base run. Table 2 gives all three the same time.

# %% tags=["hide-input"]
table = audit.one_procedure()
auc = table.set_index("strategy")["auc"]
say(
    f"Self-training and standard distillation are "
    f"**{100 * (auc['self-training'] - auc['standard']):.2f} points** apart; the three span "
    f"**{100 * (auc.max() - auc.min()):.2f}**. If the runs differ only by chance, this is the "
    f"paper's only estimate of how large chance is; it gives no seeds and no intervals. "
    f"The largest gain of self-training over base training is "
    f"{audit.abstract_gains()['best_gain'].iloc[0]} points."
)
caption = "DenseNet-121 taught by DenseNet-121"
show(table, "one-procedure", caption, f"{TABLES[1]} and Table 2", minutes=".0f")

# %% [markdown]
# ## Defective distillation
#
# Section IV-C finds defective distillation better than base training and reversed distillation
# "in most of the experiments", and worse than standard distillation.

# %% tags=["hide-input"]
table = audit.defective()
above = table[[column for column in table if column.startswith("above")]].sum()
exceptions = ", ".join(
    f"{TITLES[student]} from {TITLES[teacher]}"
    for teacher, student in table.index[table["above_standard"]]
)
say(
    f"It is above base training in **{above['above_base']} of {len(table)}** rows, above the "
    f"row's reversed distillation in **{above['above_reversed']}**, and above standard "
    f"distillation in **{above['above_standard']}** ({exceptions})."
)
show(table.reset_index(), "defective", "Defective distillation in Table 1", TABLES[1])

# %% [markdown]
# ## Whose AUC is in the reversed column?
#
# In reversed distillation the row's student teaches the row's teacher. The text judges the
# teacher, so we read the column as the AUC of the taught teacher. Read as the AUC of the row's
# student, it says something different.

# %% tags=["hide-input"]
table = audit.reversed_readings()
say(
    f"As the teacher's AUC, reversed distillation improves on base training in "
    f"**{(table['teacher_gain'] > 0).sum()} of {len(table)}** rows; as the student's, in "
    f"**{(table['student_gain'] > 0).sum()}**. As the teacher's, it costs up to "
    f"{-table['teacher_gain'].min():.2f} points."
)
show(table.reset_index(), "reversed", "Reversed distillation under both readings", TABLES[1])

# %% [markdown]
# ## The same AUC for different runs
#
# Two AUCs in Table 1 are those of two different runs each, to four decimals. Both runs of a pair
# are in one row, that of DenseNet-121 as the student.

# %% tags=["hide-input"]
show(audit.repeated_aucs(), "repeated", "Runs of Table 1 with the same AUC", TABLES[1])

# %% [markdown]
# ## The ranking of section IV-C leaves out the second best run
#
# The text puts reversed distillation second and defective distillation third.

# %% tags=["hide-input"]
table = audit.ranking()
second = table.iloc[1]
say(
    f"Second in Table 1 is {second['strategy']} distillation of {TITLES[second['network']]} "
    f"from {TITLES[second['teacher']]} with **{second['auc']}**."
)
table["text_place"] = table["text_place"].astype(object).where(table["text_place"].notna(), None)
show(table, "ranking", "The highest AUCs of Table 1", TABLES[1])

# %% [markdown]
# ## Table 2 does not fit into a week
#
# The paper reports "a total computation time of one week". Table 2 leaves out InceptionV3 and
# the grid search.

# %% tags=["hide-input"]
table = training_time.total_time()
say(f"Table 2 alone adds up to **{table['days'][0]:.1f} days**.")
show(table, "week", "Minutes of all trainings", TABLES[2], minutes=",.0f", days=".1f")

# %% [markdown]
# ## No GTX 1070 trains DenseNet-121 that fast
#
# Table 2 and the text imply a number of images a second: the training images, times the epochs,
# over the minutes of base training. The GPU's peak rate and the work in one image give a ceiling.
# The work counted here is the multiply-adds of the 120 convolutions {cite}`huang2017` at the paper's
# input size, as two operations each, three times (forward, and backward for weights and
# activations). Everything else that training does comes on top. Fast algorithms save part of the
# multiplications of 3 x 3 convolutions, so a second, loose ceiling counts those as free.

# %% tags=["hide-input"]
speed = training_time.densenet121_speed()
say(training_time.speed_in_words(speed))
labels = {
    "images": ("training images", ",.0f"),
    "epochs": ("epochs", ".0f"),
    "minutes": ("minutes of base training", ".0f"),
    "implied": ("images a second, implied", ",.0f"),
    "gflop_per_image": ("GFLOP an image", ".1f"),
    "tflops": ("TFLOP/s of the GPU at its peak", ".2f"),
    "ceiling": ("images a second, ceiling", ",.0f"),
    "epochs_at_ceiling": ("epochs that the time holds at the ceiling", ".0f"),
    "loose_ceiling": ("images a second, 3 x 3 convolutions free", ",.0f"),
}
table = pd.DataFrame(
    [(label, format(speed[name], form)) for name, (label, form) in labels.items()],
    columns=["quantity", "value"],
)
show(table, "speed", "DenseNet-121 on a GTX 1070", f"{TABLES[2]}, NVIDIA's specification")

# %% [markdown]
# ## Is self-training the costliest?
#
# Section IV-C says that self-training DenseNet-121 takes the most time of all, twice its base
# training.

# %% tags=["hide-input"]
table = training_time.self_training_time()
times = published.table2()
longest = times[times["minutes"] == times["minutes"].max()]
extra = ", ".join(TITLES[name] for name in training_time.networks_without_auc())
say(
    f"**{len(longest)}** cells of Table 2 share the longest time, {longest['minutes'].iloc[0]:.0f} "
    f"minutes: {', '.join(longest['strategy'])}. Self-training takes "
    f"{table['over_base'].min():.2f} to {table['over_base'].max():.2f} times as long as base "
    f"training, and less than standard distillation from DenseNet-121 for "
    f"**{table['cheaper_than_standard'].sum()} of {len(table)}** networks. Networks with a row "
    f"in Table 2 and none as a student in Table 1: {extra}."
)
formats = dict.fromkeys(["base", "self-training", "standard"], ".0f") | {"over_base": ".2f"}
show(table, "self-training-time", "Minutes of self-training", TABLES[2], **formats)

# %% [markdown]
# ## The means of Table 3

# %% tags=["hide-input"]
table = audit.table3_means()
works = published.table3_works().set_index("work")
table.insert(1, "printed_name", works.loc[table["work"], "printed_name"].to_numpy())
text = published.text_numbers()["value"]
say(
    f"The printed mean is that of the column for **{table['agrees'].sum()} of {len(table)}** "
    f"works. For Thorax-Net, section II of the paper says {text['thorax_net_patient_wise']:.3f}, "
    f"as computed here."
)
formats = {"printed": ".3f", "computed": ".4f"}
show(table, "table-3-means", "Means of the columns of Table 3", TABLES[3], **formats)

# %% [markdown]
# The caption says that all six used the official split. Yao et al. {cite}`yao2017` did not.

# %% [markdown]
# ## Figure 4 shows a weaker network than the text says
#
# Section IV-B chooses InceptionV3 for the saliency maps because of its "higher AUC scores", and
# prints four.

# %% tags=["hide-input"]
table = audit.figure4()
below = (table["difference"] < 0).sum()
say(
    f"**{below} of {len(table)}** are below those of the self-trained DenseNet-121 in Table 3, "
    f"by up to {-table['difference'].min():.1f} points."
)
table = table.rename(columns={"inception_v3": "InceptionV3"})
formats = {"InceptionV3": ".3f", "proposed": ".3f", "difference": "+.1f"}
show(table, "figure-4", "AUCs of Figure 4", f"{TABLES[3]} and section IV-B", **formats)

# %% [markdown]
# ## Two releases of the labels
#
# The paper's counts of images without and with a finding are those of NIH's first label table.
# The table that NIH distributes today has different counts.

# %% tags=["hide-input"]
caption, source = "Images without and with a finding", "section V; NIH's label tables"
formats = dict.fromkeys(["without_finding", "with_finding"], ",")
show(audit.image_counts(), "images", caption, f"Ho & Gwak (2020), {source}", **formats)

# %% [markdown]
# The new table only adds labels, and only for the eight findings with boxes. Today every boxed
# finding is labeled. If each added label belongs to a box, the boxes tell how often the first
# labels missed a finding that a radiologist marked.

# %% tags=["hide-input"]
table = audit.missed_labels()
total = table.set_index("finding").loc["all"]
worst = table.sort_values("missed").iloc[-1]
say(
    f"The first release lacked **{total['added']:.0f} of {total['boxes']:.0f}** boxed findings, "
    f"{total['missed']:.1%}; for {worst['finding']} {worst['missed']:.0%}."
)
caption = "Images with a label in both releases, and boxes"
formats = dict.fromkeys(["first_release", "v2020", "added", "boxes"], ",.0f") | {"missed": ".1%"}
show(table, "missed", caption, "NIH's label tables and box list", **formats)

# %% tags=["hide-input"]
facts = published.outside_facts()["value"]
say(
    f'The paper\'s "{text["annotated_images"]:.0f} annotated images" are {facts["boxes"]} boxes on '
    f"**{facts['boxed_images']} images** of {facts['boxed_patients']} patients."
)

# %% [markdown]
# ## The official split is not 70/10/20
#
# The paper uses "the patient-wise official split" and also divides the patients 70/10/20. It cannot
# be both.

# %% tags=["hide-input"]
table = audit.split_shares()
say(
    f"NIH's official test list has {table['patients'][1]:.1%} of the patients and "
    f"{table['images'][1]:.1%} of the images."
)
source = "Ho & Gwak (2020), section IV-A; NIH's lists"
show(table, "split", "Share of the test set", source, patients=".1%", images=".1%")

# %% [markdown]
# ## What agrees

# %% tags=["hide-input"]
gains = audit.text_gains()
best = audit.table3_best()
proposed = (best["bold"] == "proposed").sum()
say(
    f"- {gains['agrees'].sum()} of {len(gains)} gains of section IV-C are those of Table 1; the "
    f"others are the two self-training gains above.\n"
    f"- In Table 3 bold marks the highest AUC for {best['agrees'].sum()} of {len(best)} findings; "
    f"the proposed model has the highest for {proposed}, and the text says "
    f"{text['best_findings']:.0f}.\n"
    f"- The counts {text['images']:,.0f} images and {text['patients']:,.0f} patients are NIH's; "
    f"their ratio is {text['images'] / text['patients']:.2f}, and the text says "
    f"{text['images_per_patient']}."
)
