import argparse
import dataclasses

import pytest

from chestkd.phantom.command import add_arguments
from chestkd.phantom.specification import PhantomSpecification


@pytest.mark.parametrize(
    ("knob", "value", "allowed"),
    [
        ("images", 0, "1 or more"),
        ("images", -3, "1 or more"),
        ("size", 31, "32 to 4096"),
        ("seed", -1, "0 or more"),
        ("false_positive_rate", 1.01, "0 to 1"),
        ("false_positive_rate", float("nan"), "0 to 1"),
        ("false_negative_scale", -0.1, "0 to 1.5"),
        ("tempering", 2.0, "0 to 1"),
        ("severity_mean", 0.0, "0.01 to 0.99"),
        ("severity_concentration", 0.0, "0.1 to 1000"),
        ("mimic_rate", -1.0, "0 to 1"),
        ("noise", -1.0, "0 to 100"),
        ("box_share", 1.5, "0.01 to 1"),
        ("box_share", 0.0, "0.01 to 1"),
    ],
)
def test_a_knob_out_of_range_is_named_with_what_is_allowed(knob, value, allowed):
    with pytest.raises(ValueError, match=f"{knob} must be {allowed}, received {value}"):
        PhantomSpecification(**{"images": 10, "size": 64, knob: value})


def test_an_unknown_finding_as_shortcut_is_refused():
    with pytest.raises(ValueError, match="unknown finding 'Fracture'"):
        PhantomSpecification(images=10, size=64, shortcut="Fracture")


@pytest.mark.parametrize(("knob", "value"), [("images", 10.0), ("size", True), ("noise", "1")])
def test_a_knob_of_the_wrong_type_is_refused(knob, value):
    with pytest.raises(TypeError, match=f"{knob} must be a"):
        PhantomSpecification(**{"images": 10, "size": 64, knob: value})


def test_a_specification_survives_its_dictionary():
    specification = PhantomSpecification(images=10, size=64, shortcut="Hernia", noise=2)
    assert PhantomSpecification.from_dict(specification.as_dict()) == specification


def test_an_unknown_knob_is_refused():
    with pytest.raises(ValueError, match="unknown phantom knobs color; allowed: images, size"):
        PhantomSpecification.from_dict({"images": 1, "size": 64, "color": "red"})


def test_the_command_has_an_option_for_every_knob():
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    arguments = parser.parse_args(
        ["out", "--images", "7", "--size", "40", "--noise", "0.5", "--shortcut", "Mass"]
    )
    knobs = {
        knob.name: getattr(arguments, knob.name)
        for knob in dataclasses.fields(PhantomSpecification)
    }
    expected = PhantomSpecification(images=7, size=40, noise=0.5, shortcut="Mass")
    assert PhantomSpecification(**knobs) == expected
