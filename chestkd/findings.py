"""The 14 findings of ChestX-ray14 and their encoding as multi-hot vectors."""

from collections.abc import Iterable

import numpy as np

# The order of Table 3 of the paper and of ChestMNIST, with NIH's spelling.
FINDINGS = (
    "Atelectasis",
    "Cardiomegaly",
    "Effusion",
    "Infiltration",
    "Mass",
    "Nodule",
    "Pneumonia",
    "Pneumothorax",
    "Consolidation",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Pleural_Thickening",
    "Hernia",
)
NO_FINDING = "No Finding"

# The eight findings that NIH's radiologists marked with boxes.
BOXED_FINDINGS = FINDINGS[:8]

# NIH's box list says `Infiltrate` where its label table says `Infiltration`.
_SYNONYMS = {"Infiltrate": "Infiltration"}
_INDEX = {name: index for index, name in enumerate(FINDINGS)}


def finding_index(name: str) -> int:
    """Position of a finding, 0 to 13, in every vector of labels, logits or scores.

    Raises ValueError, naming the 14 allowed names, for any other name.
    """
    index = _INDEX.get(_SYNONYMS.get(name, name))
    if index is None:
        raise ValueError(f"unknown finding {name!r}; allowed: {', '.join(FINDINGS)}")
    return index


def encode(label: str) -> np.ndarray:
    """Multi-hot vector (14,), uint8 in {0, 1}, of a label such as ``"Edema|Mass"``.

    1 means that NIH's text mining found the finding in the report, 0 that it did not.
    ``"No Finding"`` is all zero; NIH does not call such an image normal. Raises ValueError for an
    unknown or repeated name.
    """
    labels = np.zeros(len(FINDINGS), np.uint8)
    if label == NO_FINDING:
        return labels
    for name in label.split("|"):
        index = finding_index(name)
        if labels[index]:
            raise ValueError(f"finding {name!r} is repeated in the label {label!r}")
        labels[index] = 1
    return labels


def decode(labels: Iterable[int]) -> str:
    """NIH's label string of a multi-hot vector (14,): names in alphabetical order."""
    present = sorted(name for name, one in zip(FINDINGS, labels, strict=True) if one)
    return "|".join(present) or NO_FINDING


def readable(finding: str) -> str:
    """NIH's name as a reader expects it: "Pleural thickening"."""
    return finding.replace("_", " ").capitalize()
