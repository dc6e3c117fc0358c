import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestkd.findings import BOXED_FINDINGS, FINDINGS, decode, encode, finding_index, readable


def test_order_is_that_of_the_paper_and_of_chestmnist():
    assert " ".join(FINDINGS) == (
        "Atelectasis Cardiomegaly Effusion Infiltration Mass Nodule Pneumonia Pneumothorax "
        "Consolidation Edema Emphysema Fibrosis Pleural_Thickening Hernia"
    )
    assert set(BOXED_FINDINGS) == {
        *("Atelectasis", "Cardiomegaly", "Effusion", "Infiltration"),
        *("Mass", "Nodule", "Pneumonia", "Pneumothorax"),
    }


def test_encode_by_hand():
    labels = encode("Edema|Mass|Pleural_Thickening")
    assert labels.dtype == np.uint8
    assert labels.tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1, 0]
    assert encode("No Finding").tolist() == [0] * 14


def test_box_list_spelling_is_the_same_finding():
    assert finding_index("Infiltrate") == finding_index("Infiltration") == 3


@given(st.lists(st.integers(0, 1), min_size=14, max_size=14))
def test_decode_then_encode_gives_the_same_labels(labels):
    assert encode(decode(labels)).tolist() == labels


@given(st.lists(st.sampled_from(FINDINGS), min_size=1, unique=True))
def test_order_within_a_label_does_not_matter(names):
    assert decode(encode("|".join(names))) == "|".join(sorted(names))


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ("Edema|Oedema", "unknown finding 'Oedema'; allowed: Atelectasis, Cardiomegaly"),
        ("edema", "unknown finding 'edema'"),
        ("", "unknown finding ''"),
        ("Edema|", "unknown finding ''"),
        ("Edema|No Finding", "unknown finding 'No Finding'"),
        ("Edema|Mass|Edema", "'Edema' is repeated in the label 'Edema|Mass|Edema'"),
        ("Infiltrate|Infiltration", "'Infiltration' is repeated"),
    ],
)
def test_a_wrong_label_is_an_error(label, message):
    with pytest.raises(ValueError) as error:
        encode(label)
    assert message in str(error.value)


@pytest.mark.parametrize("length", [13, 15])
def test_decode_refuses_another_number_of_labels(length):
    with pytest.raises(ValueError):
        decode([0] * length)


def test_names_as_people_write_them():
    assert readable("Pleural_Thickening") == "Pleural thickening"
