"""The command `python -m chestkd phantom FOLDER --images N --size PX --seed S`."""

import argparse
from dataclasses import MISSING, fields
from pathlib import Path

from chestkd.phantom.specification import PhantomSpecification
from chestkd.phantom.writing import generate

_HELP = {
    "images": "number of radiographs",
    "size": "side of each image in pixels, 32 or more",
    "seed": "every random draw derives from it",
    "severity_mean": "mean severity, 0.01 (subtle) to 0.99 (textbook)",
    "severity_concentration": "0.1 or more; low values give more of both extremes",
    "false_negative_scale": "factor on the measured rates of missed labels, 0 for none",
    "false_positive_rate": "share of the labels that are wrong, 0 to 1",
    "tempering": "how much more often rare findings are drawn, 0 (real rates) to 1",
    "mimic_rate": "chance of something that only looks like a finding, 0 to 1",
    "noise": "factor on the quantum noise",
    "shortcut": "finding that a planted tube accompanies in AP views",
    "shortcut_chance_without": "chance of the tube in AP views without that finding",
    "shortcut_chance_with": "chance of the tube in AP views with that finding",
    "box_share": "share of the test images' boxed findings in the box list, 0.01 to 1",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the folder, every knob of `PhantomSpecification`, and how to run."""
    parser.add_argument("folder", type=Path, help="where to write; created")
    for knob in fields(PhantomSpecification):
        required = knob.default is MISSING
        note = "" if required or knob.default is None else f" (default {knob.default})"
        parser.add_argument(
            "--" + knob.name.replace("_", "-"),
            type=knob.type if knob.type in (int, float) else str,
            required=required,
            default=None if required else knob.default,
            help=_HELP[knob.name] + note,
        )
    parser.add_argument("--processes", type=int, help="how many draw at once (default: all CPUs)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: argparse.Namespace) -> int:
    """Generate the phantom that the arguments describe; returns the exit status."""
    knobs = {knob.name: getattr(arguments, knob.name) for knob in fields(PhantomSpecification)}
    folder = generate(
        PhantomSpecification(**knobs),
        arguments.folder,
        processes=arguments.processes,
        progress=not arguments.quiet,
    )
    print(f"PHANTOM: {arguments.images} images in {folder}")
    return 0
