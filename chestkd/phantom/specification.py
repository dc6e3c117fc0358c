"""What a phantom data set is: every knob of the generator, checked."""

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import Any

from chestkd.findings import finding_index

SMALLEST_SIZE = 32
# Raised whenever the same specification would give other pixels or labels.
DRAWING = 4


@dataclass(frozen=True)
class PhantomSpecification:
    """The knobs of one phantom data set; equal specifications give equal bytes.

    Raises ValueError, naming the knob, what is allowed and what was received, for
    a value outside its range, and TypeError for one of the wrong type.
    """

    #: How many radiographs; patients are drawn until there are this many.
    images: int
    #: Side of each square image in pixels, 32 or more.
    size: int
    #: Every random draw derives from this number, 0 or more.
    seed: int = 0
    #: Severity runs from 0 (barely visible) to 1 (textbook); it is drawn from
    #: Beta(severity_mean * c, (1 - severity_mean) * c) with c = severity_concentration.
    #: A low mean makes every finding subtle, a low concentration makes both tails heavy.
    severity_mean: float = 0.5
    severity_concentration: float = 3.0
    #: Factor on the measured rates at which a finding that is there goes unlabeled
    #: (chestkd.phantom.labels.FALSE_NEGATIVE_RATES); 0 turns missed labels off.
    false_negative_scale: float = 1.0
    #: Share of the labels that name a finding which is not in the image, 0 to 1.
    false_positive_rate: float = 0.05
    #: How much more often than in reality rare findings are drawn: a patient's weight grows with
    #: (rate of the commonest finding / rate of the patient's findings) ** tempering. 0 keeps the
    #: real rates. The ratio of a finding's prevalences in the two official lists stays the real
    #: one.
    tempering: float = 0.25
    #: Chance, 0 to 1, that an image carries something that only looks like a finding
    #: (nipple shadows, poor inspiration, a rotated pose, hyperinflation of age, ...).
    mimic_rate: float = 0.35
    #: Factor on the quantum noise; 0 turns it off.
    noise: float = 1.0
    #: The finding that a planted tube accompanies in AP views, or None for no such shortcut.
    shortcut: str | None = None
    #: Chance of that tube in an AP view without the finding and with it.
    shortcut_chance_without: float = 0.05
    shortcut_chance_with: float = 0.9
    #: Share of the test images' boxed findings that appear in the box list, at least one of them.
    box_share: float = 1.0

    def __post_init__(self) -> None:
        for knob in fields(self):
            value = getattr(self, knob.name)
            if knob.type is int and (isinstance(value, bool) or not isinstance(value, int)):
                raise TypeError(f"{knob.name} must be a whole number, received {value!r}")
            if knob.type is float and (
                isinstance(value, bool) or not isinstance(value, int | float)
            ):
                raise TypeError(f"{knob.name} must be a number, received {value!r}")
            if knob.type is float:
                object.__setattr__(self, knob.name, float(value))
        self._check_range("images", 1)
        self._check_range("size", SMALLEST_SIZE, 4096)
        self._check_range("seed", 0)
        self._check_range("severity_mean", 0.01, 0.99)
        self._check_range("severity_concentration", 0.1, 1000)
        self._check_range("false_negative_scale", 0, 1.5)
        self._check_range("tempering", 0, 1)
        self._check_range("noise", 0, 100)
        for name in (
            "false_positive_rate",
            "mimic_rate",
            "shortcut_chance_without",
            "shortcut_chance_with",
        ):
            self._check_range(name, 0, 1)
        # The reader refuses a box list without boxes.
        self._check_range("box_share", 0.01, 1)
        if self.shortcut is not None:
            finding_index(self.shortcut)

    def _check_range(self, name: str, low: float, high: float = float("inf")) -> None:
        value = getattr(self, name)
        if not low <= value <= high:
            allowed = f"{low} or more" if high == float("inf") else f"{low} to {high}"
            raise ValueError(f"{name} must be {allowed}, received {value}")

    @property
    def folder_name(self) -> str:
        """Readable, and ends in a hash of the knobs and of the drawing's version."""
        knobs = json.dumps([DRAWING, self.as_dict()], sort_keys=True)
        digest = hashlib.sha256(knobs.encode()).hexdigest()[:8]
        return f"phantom-{self.images}x{self.size}px-{digest}"

    def as_dict(self) -> dict[str, Any]:
        """The knobs by name, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, knobs: dict[str, Any]) -> "PhantomSpecification":
        """The specification of `as_dict`; raises ValueError for an unknown knob."""
        allowed = [knob.name for knob in fields(cls)]
        unknown = sorted(set(knobs) - set(allowed))
        if unknown:
            raise ValueError(
                f"unknown phantom knobs {', '.join(unknown)}; allowed: {', '.join(allowed)}"
            )
        return cls(**knobs)
