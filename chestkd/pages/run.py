"""The page of one run: what ran, its curves and AUCs, and the runs that it is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML

from chestkd.distillation.strategies import STRATEGIES
from chestkd.evaluation.auc import auc_difference
from chestkd.networks.architectures import NETWORKS
from chestkd.pages import html, table_3
from chestkd.pages.run_figures import auc_intervals, learning_curves
from chestkd.study.planned_runs import PlannedRun
from chestkd.study.presets import Preset
from chestkd.study.study import Study, open_study
from chestkd.training.store import Run
from chestkd.workspace import duration

AUC_FORMATS = dict.fromkeys(("auc", "low", "high"), ".3f")
_NO_SCORES = HTML("<p>The loss stopped being finite, so there is no network to score.</p>")


@dataclass(frozen=True)
class RunPage:
    """One run and those it is compared with; each method shows one part of the page."""

    study: Study
    planned: PlannedRun
    run: Run
    #: Title to run: the same network's base run, then the teacher; none for a base run.
    references: Mapping[str, Run]
    #: What tables and figures are named after, where it is not the planned run.
    key: str = ""

    @property
    def title(self) -> str:
        """The network and the strategy: "ResNet-32, standard"."""
        return _title(self.planned)

    @property
    def _with_base(self) -> dict[str, Run]:
        """This run and, where it was taught, the same network without a teacher."""
        return {self.title: self.run, **dict(list(self.references.items())[:1])}

    def facts(self) -> None:
        """Print what ran, on how much, for how long, where, and who taught it."""
        record, teaching = self.run.record, self.run.specification.teaching
        counts = ", ".join(f"{count:,} {part}" for part, count in record["data"]["images"].items())
        print(f"run {self.run.id}: {record['status']}")
        print(f"{record['parameters']:,} parameters; images: {counts}")
        print(
            f"{duration(record['training_seconds'])} of training on {', '.join(record['devices'])} "
            f"({record['machine']['processor']}, {record['machine']['cores']} cores), "
            f"{record['backend']}"
        )
        if self.run.specification.start is not None:
            print(f"starts from the weights of {self.run.specification.start.run}")
        if teaching is None:
            return
        seconds = record.get("teaching_seconds")
        spent = "" if seconds is None else f"; its outputs took this run {seconds:.1f} s"
        print(
            f"taught by {teaching.teacher}, loss {teaching.loss}, alpha {teaching.alpha:g}, "
            f"temperature {teaching.temperature:g}{spent}"
        )

    @property
    def _key(self) -> str:
        return self.key or self.planned.key

    def _source(self, runs: int) -> str:
        return self.study.caption(runs, split=self.planned.split or "")

    def curves(self, caption: str) -> HTML:
        """Its learning curves, and the base run's; ``caption`` follows the run's title."""
        runs = self._with_base
        histories = {title: run.history() for title, run in runs.items()}
        described = "; ".join(
            f"{title}: {len(history)} epochs, validation AUC highest in epoch "
            f"{runs[title].record['selected_epoch']} ({history['validation_auc'].max():.3f})"
            for title, history in histories.items()
        )
        return html.figure(
            learning_curves(histories),
            name=f"{self._key}-curves",
            caption=f"{self.title}{caption}",
            source=self._source(len(runs)),
            alt=f"Loss and validation AUC by epoch. {described}.",
        )

    def against(self) -> HTML:
        """Its mean test AUC, and the paired differences from the references."""
        if self.run.diverged:
            return _NO_SCORES
        return html.table(
            self.differences(),
            name=f"{self._key}-against",
            caption=f"Mean test AUC, and {self.title} minus each of the others on the same "
            "resamples of patients, in points of AUC x 100.",
            source=self._source(1 + len(self.references)),
            formats={"mean AUC": ".4f"},
        )

    def differences(self) -> pd.DataFrame:
        """``run``, ``mean AUC`` and ``difference``: this run, which has scores, and the others."""
        compared = {self.title: self.run, **self.references}
        return pd.DataFrame([self._row(title, run) for title, run in compared.items()])

    def _row(self, title: str, run: Run) -> dict[str, object]:
        if run.diverged:
            return {"run": title, "mean AUC": np.nan, "difference": "diverged"}
        mean = self._auc_table(run).iloc[-1]
        difference = "" if run is self.run else self._difference(run)
        note = mean["note"]
        return {"run": title, "mean AUC": mean["auc"], "difference": difference, "note": note}

    def _difference(self, reference: Run) -> str:
        own, other = self.run.scores(), reference.scores()
        difference = auc_difference(
            own["labels"],
            own["logits"],
            other["logits"],
            own["patients"],
            resamples=self.study.preset.resamples,
        )
        return f"{100 * difference:+.2f}"

    def aucs(self) -> HTML:
        """Its test AUC of each finding, or the reason why there is none."""
        if self.run.diverged:
            return _NO_SCORES
        return html.table(
            self._auc_table(self.run),
            name=f"{self._key}-auc",
            caption=f"Test AUC of {self.title}, with 95 % intervals over patients.",
            source=self._source(1),
            formats=AUC_FORMATS | {"undefined": ".3f"},
        )

    def intervals(self) -> HTML:
        """The same as points with intervals, beside the base run's."""
        scored = {title: run for title, run in self._with_base.items() if not run.diverged}
        tables = {title: self._auc_table(run) for title, run in scored.items()}
        if not tables:
            return _NO_SCORES
        means = "; ".join(f"{title} {table['auc'].iloc[-1]:.3f}" for title, table in tables.items())
        return html.figure(
            auc_intervals(tables),
            name=f"{self._key}-intervals",
            caption="Test AUC of each finding. The dotted line is chance.",
            source=self._source(len(tables)),
            alt=f"AUC of each finding with its 95 % interval. Means: {means}.",
        )

    def _auc_table(self, run: Run) -> pd.DataFrame:
        return table_3.run_auc_table(run, resamples=self.study.preset.resamples)


def open_page(strategy: str, parameters: Mapping[str, Any]) -> RunPage:
    """Make or read the run that a strategy's notebook asks for, and those that it needs.

    ``parameters`` are the notebook's, as `chestkd.pages.parameters.check_parameters` returns them;
    None and what it does not have are left to the preset. A teacher that is not trained yet is
    trained. Raises ValueError for an unknown strategy or loss, and for a value out of range.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"unknown strategy {strategy!r}; allowed: {', '.join(STRATEGIES)}")
    study = open_study(
        parameters["preset"], parameters["data"], allow_partial=parameters["allow_partial"]
    )
    planned = _planned(strategy, parameters)
    specification = study.specification(planned, loss=parameters.get("loss")).with_recipe(
        **{name: parameters[name] for name in ("epochs", "batch_size", "rate")}
    )
    made = {
        title: study.make(study.specification(reference))
        for title, reference in references(study.preset, planned).items()
    }
    return RunPage(study, planned, study.make(specification), made)


def references(preset: Preset, planned: PlannedRun) -> dict[str, PlannedRun]:
    """What a taught run is compared with, by title: its network's base run, then its teacher."""
    teacher = planned.teacher_run(preset)
    if teacher is None:
        return {}
    own = PlannedRun("base", planned.network, seed=planned.seed)
    titled = {_title(own): own}
    if teacher != own:
        titled[f"{_title(teacher)} (the teacher)"] = teacher
    return titled


def open_pretraining(parameters: Mapping[str, Any]) -> RunPage:
    """Make or read the run that a network of the preset starts from.

    Raises ValueError where the preset pre-trains no such network.
    """
    study = open_study(parameters["preset"])
    network = parameters["network"]
    if study.pretraining is None or network not in study.pretrained:
        allowed = ", ".join(study.pretrained) or "none"
        raise ValueError(
            f"preset {study.preset.name} does not pre-train {network!r}; allowed: {allowed}"
        )
    planned = study.pretrained[network]
    run = study.pretraining.make(study.pretraining.specification(planned))
    return RunPage(study.pretraining, planned, run, {}, f"pretraining-{network}")


def _planned(strategy: str, parameters: Mapping[str, Any]) -> PlannedRun:
    network, seed = parameters["network"], parameters["seed"]
    if STRATEGIES[strategy].by is None:
        return PlannedRun(strategy, network, split=parameters.get("split"), seed=seed)
    # Self-training has no parameter `teacher`: it is the network itself.
    planned = PlannedRun(strategy, network, parameters.get("teacher", network), seed=seed)
    return planned.with_distillation(parameters["alpha"], parameters["temperature"])


def _title(planned: PlannedRun) -> str:
    split = f", {planned.split} split" if planned.split else ""
    return f"{NETWORKS[planned.network].title}, {planned.strategy}{split}"
