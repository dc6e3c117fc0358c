"""What a strategy's notebook shows of its run: facts, curves, AUCs, and the base run beside it."""

from collections.abc import Mapping

import pandas as pd
from IPython.display import HTML

from chestkd.evaluation.auc import compare
from chestkd.pages import figures, html, table_3
from chestkd.study.study import Study
from chestkd.training.store import Run
from chestkd.workspace import duration

AUC_FORMATS = dict.fromkeys(("auc", "low", "high"), ".3f")
_NO_SCORES = HTML("<p>The loss stopped being finite, so there is no network to score.</p>")


def facts(run: Run) -> None:
    """Print what ran, on how much, for how long and where."""
    record = run.record
    counts = ", ".join(f"{count:,} {part}" for part, count in record["data"]["images"].items())
    print(f"run {run.id}: {record['status']}")
    print(f"{record['parameters']:,} parameters; images: {counts}")
    print(
        f"{duration(record['training_seconds'])} of training on {', '.join(record['devices'])} "
        f"({record['machine']['processor']}, {record['machine']['cores']} cores), "
        f"{record['backend']}"
    )


def taught_by(run: Run) -> None:
    """Print who taught a run, and with which loss; nothing for a base run."""
    teaching = run.specification.teaching
    if teaching is None:
        return
    seconds = run.record.get("teaching_seconds")
    spent = "" if seconds is None else f"; its outputs took this run {seconds:.1f} s"
    print(
        f"taught by {teaching.teacher}, loss {teaching.loss}, alpha {teaching.alpha:g}, "
        f"temperature {teaching.temperature:g}{spent}"
    )


def curves(study: Study, runs: Mapping[str, Run], name: str, caption: str) -> HTML:
    """Learning curves of one or more runs, by title."""
    histories = {title: run.history() for title, run in runs.items()}
    described = "; ".join(
        f"{title}: {len(history)} epochs, validation AUC highest in epoch "
        f"{runs[title].record['selected_epoch']} ({history['validation_auc'].max():.3f})"
        for title, history in histories.items()
    )
    return html.figure(
        figures.learning_curves(histories),
        name=f"{name}-curves",
        caption=caption,
        source=study.caption(runs=len(runs)),
        alt=f"Loss and validation AUC by epoch. {described}.",
    )


def aucs(study: Study, run: Run, title: str, name: str) -> HTML:
    """The table of AUCs per finding with intervals, or the reason why there is none."""
    if run.diverged:
        return _NO_SCORES
    return html.table(
        table_3.run_auc_table(run, resamples=study.preset.resamples),
        name=f"{name}-auc",
        caption=f"Test AUC of {title}, with 95 % intervals over patients.",
        source=study.caption(runs=1),
        formats=AUC_FORMATS,
    )


def intervals(study: Study, runs: Mapping[str, Run], name: str) -> HTML:
    """The AUCs of one or more runs as points with intervals."""
    measured = {
        title: table_3.run_auc_table(run, resamples=study.preset.resamples)
        for title, run in runs.items()
        if not run.diverged
    }
    if not measured:
        return _NO_SCORES
    means = "; ".join(f"{title} {table['auc'].iloc[-1]:.3f}" for title, table in measured.items())
    return html.figure(
        figures.auc_intervals(measured),
        name=f"{name}-intervals",
        caption="Test AUC of each finding. The dotted line is chance.",
        source=study.caption(runs=len(measured)),
        alt=f"AUC of each finding with its 95 % interval. Means: {means}.",
    )


def against(study: Study, run: Run, title: str, references: Mapping[str, Run], name: str) -> HTML:
    """Mean test AUC of a run and its difference to others, paired over the same patients."""
    if run.diverged:
        return _NO_SCORES
    rows = [_row(study, title, run, None)]
    rows += [_row(study, other, reference, run) for other, reference in references.items()]
    return html.table(
        pd.DataFrame(rows),
        name=f"{name}-against",
        caption=f"Mean test AUC, and {title} minus each of the others on the same resamples of "
        "patients, in points of AUC x 100.",
        source=study.caption(runs=len(rows)),
        formats={"mean AUC": ".4f"},
    )


def _row(study: Study, title: str, run: Run, compared: Run | None) -> dict[str, object]:
    if run.diverged:
        return {"run": title, "mean AUC": "diverged", "difference": ""}
    scores = run.scores()
    table = table_3.run_auc_table(run, resamples=study.preset.resamples)
    row: dict[str, object] = {"run": title, "mean AUC": table["auc"].iloc[-1], "difference": ""}
    if compared is not None:
        difference = compare(
            scores["labels"],
            compared.scores()["logits"],
            scores["logits"],
            scores["patients"],
            resamples=study.preset.resamples,
        )
        low, value, high = (
            100 * each for each in (difference.low, difference.value, difference.high)
        )
        row["difference"] = f"{value:+.2f} ({low:+.2f} to {high:+.2f})"
    return row
