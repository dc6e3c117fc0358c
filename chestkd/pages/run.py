"""What a strategy's notebook opens: its run, and the runs that it is held against."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from IPython.display import HTML

from chestkd.distillation.strategies import STRATEGIES
from chestkd.networks.architectures import NETWORKS
from chestkd.pages import report
from chestkd.study.planned_runs import PlannedRun
from chestkd.study.study import Study, open_study
from chestkd.training.store import Run


@dataclass(frozen=True)
class RunPage:
    """One run with what the reader compares it with; each method shows one part of the page."""

    study: Study
    planned: PlannedRun
    run: Run
    # Title to run: the same network's base run, and the teacher; none of a base run.
    references: Mapping[str, Run]

    @property
    def title(self) -> str:
        """The network and the strategy: "ResNet-32, standard"."""
        return _title(self.planned)

    @property
    def _own_base(self) -> dict[str, Run]:
        """The first reference: the same network without a teacher."""
        return dict(list(self.references.items())[:1])

    def facts(self) -> None:
        """Print what ran, on how much, for how long, where, and who taught it."""
        report.facts(self.run)
        report.taught_by(self.run)

    def curves(self, caption: str) -> HTML:
        """Its learning curves, and the base run's."""
        runs = {self.title: self.run, **self._own_base}
        return report.curves(self.study, runs, self.planned.key, f"{self.title}{caption}")

    def against(self) -> HTML:
        """Its mean test AUC, and the paired differences to the references."""
        return report.against(self.study, self.run, self.title, self.references, self.planned.key)

    def aucs(self) -> HTML:
        """Its test AUC of each finding."""
        return report.aucs(self.study, self.run, self.title, self.planned.key)

    def intervals(self) -> HTML:
        """The same as points with intervals, beside the base run's."""
        runs = {self.title: self.run, **self._own_base}
        return report.intervals(self.study, runs, self.planned.key)


def open_page(strategy: str, parameters: Mapping[str, Any]) -> RunPage:
    """Make or read the run that a strategy's notebook was asked for, and those before it.

    ``parameters`` are the notebook's, as `chestkd.pages.parameters.check_parameters` returns them;
    those that it does not have are left to the preset. A teacher that was not trained yet is
    trained. Raises ValueError for an unknown strategy.
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"unknown strategy {strategy!r}; allowed: {', '.join(STRATEGIES)}")
    given = dict(parameters)
    study = open_study(given["preset"], given["data"], allow_partial=given["allow_partial"])
    planned = _planned(strategy, given)
    references: dict[str, Run] = {}
    if planned.base is not None:
        own = PlannedRun("base", planned.network, planned.seed)
        references[_title(own)] = study.make(study.specification(own))
        if planned.base != own:
            teaching = study.make(study.specification(planned.base))
            references[f"{_title(planned.base)} (the teacher)"] = teaching
    specification = study.specification(planned, loss=given.get("loss") or None).with_recipe(
        epochs=given["epochs"] or None,
        batch_size=given["batch_size"] or None,
        rate=given["rate"] or None,
    )
    return RunPage(study, planned, study.make(specification), references)


def _planned(strategy: str, given: Mapping[str, Any]) -> PlannedRun:
    network, seed = given["network"], given["seed"]
    if STRATEGIES[strategy].by is None:
        return PlannedRun(strategy, network, seed, split=given.get("split") or None)
    # Self-training has no parameter `teacher`: it is the network itself.
    teacher = given.get("teacher", network)
    return PlannedRun(strategy, network, seed, teacher).with_distillation(
        given["alpha"], given["temperature"]
    )


def _title(planned: PlannedRun) -> str:
    split = f", {planned.split} split" if planned.split else ""
    return f"{NETWORKS[planned.network].title}, {planned.strategy}{split}"
