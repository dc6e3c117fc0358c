"""Patients, visits and labels of a phantom: recorded ones as in reality, and the truth.

Every phantom patient borrows the label history of a real one: official list, sex, ages,
views and label sets of all its images. That keeps the joint distribution of all of them:
prevalence, co-occurrence, persistence, visits per patient, the shift of the official test
list. What the images really show is derived from it: some recorded labels are wrong, and
some findings that are there were missed.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from chestkd.findings import FINDINGS, finding_index
from chestkd.phantom.cohort import draw_cohort
from chestkd.phantom.histories import real_histories
from chestkd.phantom.specification import PhantomSpecification
from chestkd.phantom.streams import Stream, open_stream

# Share of true findings that NIH's first label release had missed, counted on the boxed
# images: the labels that the release of 2020 added. The six findings without boxes get
# the median of the eight.
FALSE_NEGATIVE_RATES = {
    "Atelectasis": 0.13,
    "Cardiomegaly": 0.03,
    "Effusion": 0.065,
    "Infiltration": 0.20,
    "Mass": 0.42,
    "Nodule": 0.10,
    "Pneumonia": 0.65,
    "Pneumothorax": 0.04,
    "Consolidation": 0.115,
    "Edema": 0.115,
    "Emphysema": 0.115,
    "Fibrosis": 0.115,
    "Pleural_Thickening": 0.115,
    "Hernia": 0.115,
}
# Correlation between the severities of one patient's finding at two visits.
SEVERITY_CORRELATION = 0.6
# Missed findings come from the lower part of the severities.
MISSED_QUANTILE = 0.6


@dataclass(frozen=True)
class Plan:
    """Everything about the images of a phantom but their pixels, one entry per image.

    - `patient`: phantom patient number, from 1. visit: from 0.
    - `test`: in the official test list. female, age, view: as NIH gives them.
    - `recorded`: (images, 14) uint8, the labels of the label table.
    - `severities`: (images, 14) float64, 0 where the finding is not there, else in (0, 1].
    - `shortcut`: whether the planted tube is in the image.
    """

    patient: np.ndarray
    visit: np.ndarray
    test: np.ndarray
    female: np.ndarray
    age: np.ndarray
    view: np.ndarray
    recorded: np.ndarray
    severities: np.ndarray
    shortcut: np.ndarray

    def __len__(self) -> int:
        return len(self.patient)

    def name(self, row: int) -> str:
        """File name of one image in NIH's pattern, patient and visit."""
        return f"{self.patient[row]:08d}_{self.visit[row]:03d}.png"


def draw_plan(specification: PhantomSpecification) -> Plan:
    """Draw patients, labels and truth of a whole phantom; takes seconds for 112,120."""
    histories = real_histories()
    cohort = draw_cohort(histories, specification)
    visits, history = cohort.visits, np.repeat(cohort.history, cohort.visits)
    patient = np.repeat(np.arange(1, len(visits) + 1), visits)
    visit = np.arange(len(patient)) - np.repeat(np.cumsum(visits) - visits, visits)
    image = histories.start[history] + np.repeat(cohort.first, visits) + visit
    code = histories.code[image]
    view = histories.views[code]
    recorded = histories.labels[code]
    generator = open_stream(specification.seed, Stream.LABEL_NOISE)
    truth, missed = draw_truth(recorded, view, specification, generator)
    severities = draw_severities(patient, truth, missed, specification)
    return Plan(
        patient=patient,
        visit=visit,
        test=histories.test[history],
        female=histories.female[history],
        age=histories.age[image],
        view=view,
        recorded=recorded,
        severities=severities,
        shortcut=draw_shortcuts(truth, view, specification),
    )


def draw_truth(
    recorded: np.ndarray,
    view: np.ndarray,
    specification: PhantomSpecification,
    generator: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """What is really there, and which of it was missed: two (images, 14) bool arrays.

    A recorded label is wrong with probability `false_positive_rate`. A finding that is
    not recorded is there with the probability m that makes the share of true findings
    without a label equal the false-negative rate r: with the recorded rate p in that view
    and the share q = p (1 - false_positive_rate) of recorded and true, m (1 - p) = q r / (1 - r).
    """
    rates = np.array([FALSE_NEGATIVE_RATES[name] for name in FINDINGS])
    rates = np.minimum(rates * specification.false_negative_scale, 0.98)
    wrong = generator.random(recorded.shape) < specification.false_positive_rate
    uniform = generator.random(recorded.shape)
    missed = np.zeros(recorded.shape, bool)
    for name in ("PA", "AP"):
        chosen = view == name
        if chosen.any():
            p = recorded[chosen].mean(axis=0)
            confirmed = p * (1 - specification.false_positive_rate)
            chance = confirmed * rates / (1 - rates) / np.maximum(1 - p, 1e-9)
            missed[chosen] = (recorded[chosen] == 0) & (uniform[chosen] < chance)
    return ((recorded == 1) & ~wrong) | missed, missed


def draw_severities(
    patient: np.ndarray, truth: np.ndarray, missed: np.ndarray, specification: PhantomSpecification
) -> np.ndarray:
    """Severity of each true finding, (images, 14), correlated between a patient's visits."""
    generator = open_stream(specification.seed, Stream.SEVERITY)
    lasting = generator.standard_normal((int(patient[-1]) + 1, len(FINDINGS)))[patient]
    passing = generator.standard_normal(truth.shape)
    quantile = special.ndtr(
        np.sqrt(SEVERITY_CORRELATION) * lasting + np.sqrt(1 - SEVERITY_CORRELATION) * passing
    )
    quantile = np.where(missed, MISSED_QUANTILE * quantile, quantile)
    a = specification.severity_mean * specification.severity_concentration
    b = (1 - specification.severity_mean) * specification.severity_concentration
    severities = np.round(special.betaincinv(a, b, quantile), 4)
    return np.where(truth, np.clip(severities, 1e-4, 1), 0.0)


def draw_shortcuts(
    truth: np.ndarray, view: np.ndarray, specification: PhantomSpecification
) -> np.ndarray:
    """Which images carry the planted tube, (images,) bool; none without a shortcut."""
    if specification.shortcut is None:
        return np.zeros(len(truth), bool)
    generator = open_stream(specification.seed, Stream.DEVICES)
    present = truth[:, finding_index(specification.shortcut)]
    chance = np.where(
        present, specification.shortcut_chance_with, specification.shortcut_chance_without
    )
    return (view == "AP") & (generator.random(len(truth)) < chance)
