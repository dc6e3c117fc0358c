"""A study: a preset on a data set, and everything that follows from the two."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from chestkd import workspace
from chestkd.data import nih
from chestkd.data.dataset import Dataset
from chestkd.data.prepare import Prepared, folder_of, pixel_statistics, prepare
from chestkd.data.splits import PARTS, Split, split
from chestkd.study.planned_runs import PlannedRun, best_of_grid, grid_runs, planned_runs
from chestkd.study.presets import Preset, load
from chestkd.training.specification import Recipe, RunSpecification, Start
from chestkd.training.store import Run, Store

PHANTOM = "phantom"


@dataclass(frozen=True)
class Study:
    """What every notebook works on; nothing is read or made before it is asked for."""

    preset: Preset
    #: How the preset was named: `quick`, or a file.
    preset_argument: str
    #: "phantom", or the folder of a data set in NIH's layout.
    data: str = PHANTOM
    #: Use the images that are present and can be decoded, instead of stopping at the others.
    allow_partial: bool = False
    progress: bool = True

    @property
    def name(self) -> str:
        """`quick` on the phantom, `quick-on-FOLDER` on a data set."""
        if self.data == PHANTOM:
            return self.preset.name
        return f"{self.preset.name}-on-{self.data_folder.name}"

    @property
    def folder(self) -> Path:
        """Where the executed notebooks, tables and the book of this study are."""
        return workspace.build() / self.name

    @property
    def data_folder(self) -> Path:
        """The data set's folder; the phantom's is shared by every preset that asks for it."""
        if self.data == PHANTOM:
            return workspace.build() / "data" / self.preset.phantom.folder_name
        return workspace.resolve(self.data)

    def data_inputs(self) -> list[Path]:
        """The tables that, when changed, make everything be read again; none for the phantom."""
        if self.data == PHANTOM:
            return []
        endings = (".csv", ".csv.gz", ".txt")
        return sorted(path for path in self.data_folder.iterdir() if path.name.endswith(endings))

    @cached_property
    def dataset(self) -> Dataset:
        """The data set; the phantom is drawn on first use."""
        if self.data == PHANTOM:
            from chestkd.phantom.writing import generate  # SciPy takes a second to import

            generate(self.preset.phantom, self.data_folder, progress=self.progress)
        return nih.read(self.data_folder, allow_partial=self.allow_partial)

    @property
    def is_drawn(self) -> bool:
        """Whether there is a data set to read; a phantom is drawn on first use."""
        return self.data != PHANTOM or self.data_folder.is_dir()

    @property
    def is_prepared(self) -> bool:
        """Whether its images are decoded at the preset's size; nothing is drawn to find out."""
        return (
            self.is_drawn
            and folder_of(self.dataset, self.preset.size, workspace.build() / "prepared").is_dir()
        )

    @cached_property
    def prepared(self) -> Prepared:
        """Its images in one memory map, decoded on first use."""
        return prepare(
            self.dataset,
            self.preset.size,
            workspace.build() / "prepared",
            on_corrupt="skip" if self.allow_partial else "stop",
            progress=self.progress,
        )

    @cached_property
    def split(self) -> Split:
        """Training, validation and test rows of the prepared images."""
        return split(self.prepared.dataset, self.preset.split, seed=self.preset.split_seed)

    def parts(self, name: str) -> Split:
        """The same by another split, such as the image-wise one beside a study's own."""
        if name == self.split.name:
            return self.split
        return split(self.prepared.dataset, name, seed=self.preset.split_seed)

    @property
    def store(self) -> Store:
        """All runs on this machine; ids keep those of different studies apart."""
        return Store(workspace.build() / "runs")

    def describe(self) -> dict[str, Any]:
        """What was read and prepared, in plain values."""
        parts = {part: len(getattr(self.split, part)) for part in PARTS}
        before = self.pretraining.describe() if self.pretraining else {}
        return {
            "data": self.data_name,
            "fingerprint": self.prepared.fingerprint,
            "size": self.prepared.size,
            "images": len(self.prepared.dataset),
            "left out": len(self.prepared.left_out),
            "split": self.split.name,
            **parts,
            **{f"pre-training: {what}": value for what, value in before.items()},
        }

    def planned(self) -> list[PlannedRun]:
        """Every run that the preset asks for."""
        return planned_runs(self.preset)

    def specification(
        self, planned: PlannedRun, *, loss: str | None = None, recipe: Recipe | None = None
    ) -> RunSpecification:
        """The full specification of a planned run on this data.

        ``loss`` and ``recipe`` replace the preset's. Raises ValueError for an unknown loss, and
        LookupError where alpha and temperature depend on a run that has not been made.
        """
        distillation = self.preset.distillation
        if loss is not None:
            distillation = replace(distillation, loss=loss)
        if planned.teacher is not None and planned.alpha is None:
            planned = planned.with_distillation(*self.chosen_distillation)
        return planned.specification(
            self.preset,
            self.prepared.fingerprint,
            self._scaling,
            loss=distillation.loss,
            recipe=recipe,
            starts=self._starts,
        )

    @cached_property
    def pretraining(self) -> "Study | None":
        """The study whose base runs this one's networks start from, always on a phantom."""
        preset = self.preset.pretraining_preset
        return Study(preset, self.preset_argument, progress=self.progress) if preset else None

    @property
    def pretrained(self) -> dict[str, PlannedRun]:
        """The run of `pretraining` that each network starts from, by the network's name."""
        planned = self.pretraining.planned() if self.pretraining else []
        return {run.network: run for run in planned}

    @cached_property
    def _starts(self) -> dict[str, Start]:
        before, own = self.pretraining, self.preset.pretraining
        if before is None or own is None:
            return {}
        return {
            network: Start(before.specification(run).id, own.dense)
            for network, run in self.pretrained.items()
        }

    @cached_property
    def _scaling(self) -> tuple[float, float] | None:
        if self.preset.scaling == "training-set":
            return pixel_statistics(self.prepared.images, self.split.train)
        return None

    @cached_property
    def chosen_distillation(self) -> tuple[float, float]:
        """Alpha and temperature: the preset's, or the best of its grid by validation AUC.

        Raises LookupError where a run of the grid has not been made.
        """
        distillation = self.preset.distillation
        if not distillation.has_grid:
            return distillation.alpha[0], distillation.temperature[0]
        return best_of_grid({planned: self.find(planned) for planned in grid_runs(self.preset)})

    def find(self, planned: PlannedRun) -> Run | None:
        """The run of a planned cell, or None if it has not been made."""
        try:
            run_id = self.specification(planned).id
        except LookupError:
            return None
        return self.store.load(run_id) if run_id in self.store else None

    def make(self, specification: RunSpecification) -> Run:
        """The run of a specification: read where it exists, else trained.

        A run that starts from a pre-trained network makes that one first where it is missing.
        """
        if specification.id in self.store:
            return self.store.load(specification.id)
        from chestkd.training.loop import train  # Keras takes seconds to import

        if specification.start is not None and self.pretraining is not None:
            before = self.pretrained[specification.network]
            self.pretraining.make(self.pretraining.specification(before))
        parts = self.parts(specification.split)
        return train(specification, self.prepared, parts, self.store, progress=self.progress)

    def tested_on(self, split: str = "") -> str:
        """How many patients the intervals over patients are of, and what they are worth.

        ``split``: the split of the runs, where it is not the preset's.
        """
        from chestkd.evaluation.resamples import Resamples  # scikit-learn takes a second to import

        dataset, rows = self.prepared.dataset, self.parts(split or self.preset.split).test
        patients = dataset.table["patient"].to_numpy()[rows]
        return Resamples.draw(patients, self.preset.resamples).describe(dataset.labels[rows])

    def caption(self, runs: int | None = None, *, split: str = "") -> str:
        """What every table and figure carries: data set, preset, number of runs, commit.

        That of runs says on which patients they were tested, so that no interval goes without it.
        """
        preset = self.preset
        parts = [self.data_name, f"preset {preset.name}", *filter(None, [preset.pretrained_on])]
        if runs is not None:
            parts.append(f"{runs} run" + ("" if runs == 1 else "s"))
        if runs:
            parts.append(self.tested_on(split))
        return " · ".join([*parts, f"commit {workspace.short_commit()}"])

    @property
    def data_name(self) -> str:
        """The data set's name, with the count of images where the copy is partial."""
        note = self.dataset.note
        return f"{self.dataset.name} ({note})" if note else self.dataset.name


def open_study(preset: str, data: str = PHANTOM, *, allow_partial: bool = False) -> Study:
    """A preset by name or file, on the phantom or on a folder."""
    study = Study(load(preset), preset, data, allow_partial)
    if data != PHANTOM and not study.data_folder.is_dir():
        raise FileNotFoundError(
            f"no folder {study.data_folder}; give `phantom` or a data set's folder"
        )
    return study
