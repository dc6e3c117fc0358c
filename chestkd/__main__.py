"""`python -m chestkd`: the commands behind `make` and the workflow."""

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import chestkd.phantom.command as phantom

if TYPE_CHECKING:
    from chestkd.study.study import Study


def main(arguments: list[str] | None = None) -> int:
    """Run one command; a mistake of the user's is one line on stderr and exit code 1."""
    parser = argparse.ArgumentParser(
        prog="python -m chestkd",
        description="The commands behind the workflow; `make book` runs them in order.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_phantom(commands)
    _add_prepare(commands)
    _add_plan(commands)
    _add_train(commands)
    _add_assemble(commands)
    _add_publish(commands)
    _add_records(commands)
    _add_verify(commands)
    _add_timings(commands)
    chosen = parser.parse_args(arguments)
    try:
        chosen.run(chosen)
    except (ValueError, OSError, KeyError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command resumes where this one stopped", file=sys.stderr)
        return 130
    return 0


def _add_phantom(commands: argparse._SubParsersAction) -> None:
    text = "draw a PHANTOM data set in the layout of ChestX-ray14"
    parser = commands.add_parser("phantom", help=text, description=text)
    phantom.add_arguments(parser)
    parser.set_defaults(run=phantom.run)


def _add_study(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--preset", default="quick", help="name, or a file ending in .yaml")
    parser.add_argument("--data", default="phantom", help="`phantom`, or a folder in NIH's layout")
    parser.add_argument(
        "--allow-partial",
        action="store_true",
        help="use the images that are there and can be decoded, and count the others",
    )


def _study(arguments: argparse.Namespace) -> "Study":
    from chestkd.study.study import open_study

    return open_study(arguments.preset, arguments.data, allow_partial=arguments.allow_partial)


def _add_prepare(commands: argparse._SubParsersAction) -> None:
    text = "check a data set and decode its images once, at the preset's size"
    parser = commands.add_parser("prepare", help=text, description=text)
    _add_study(parser)
    parser.add_argument("--record", type=Path, help="write what was prepared to this JSON file")
    parser.set_defaults(run=_prepare)


def _prepare(arguments: argparse.Namespace) -> None:
    from chestkd import workspace

    record = _study(arguments).describe()
    for key, value in record.items():
        print(f"{key}: {value}")
    if arguments.record:
        workspace.write_json(arguments.record, record)


def _add_plan(commands: argparse._SubParsersAction) -> None:
    text = "print the runs of a preset and what they cost, before anything starts"
    parser = commands.add_parser("plan", help=text, description=text)
    _add_study(parser)
    parser.add_argument(
        "--measure", action="store_true", help="train networks of unknown speed for a few seconds"
    )
    parser.add_argument("--runs", action="store_true", help="also list the runs")
    parser.set_defaults(run=_plan)


def _plan(arguments: argparse.Namespace) -> None:
    from chestkd.study.cost import plan_text

    study = _study(arguments)
    if arguments.runs:
        print("\n".join(run.key for run in study.planned()))
    print(plan_text(study, measure=arguments.measure))


def _add_train(commands: argparse._SubParsersAction) -> None:
    text = "make every run of a preset in one process; what is made already is kept"
    parser = commands.add_parser("train", help=text, description=text)
    _add_study(parser)
    parser.add_argument(
        "--networks",
        nargs="+",
        metavar="NETWORK",
        help="only runs of these, whose teachers are among them, too: the cheap ones first",
    )
    parser.set_defaults(run=_train)


def _train(arguments: argparse.Namespace) -> None:
    from chestkd.workspace import duration

    study = _study(arguments)
    start = time.monotonic()
    wanted = set(arguments.networks or study.preset.networks)
    if unknown := sorted(wanted.difference(study.preset.networks)):
        raise ValueError(
            f"--networks: preset {study.preset.name} has no {', '.join(unknown)}; "
            f"allowed: {', '.join(study.preset.networks)}"
        )
    # What networks start from comes before all others.
    parts = [part for part in (study.pretraining, study) if part is not None]
    todo = [
        (part, planned)
        for part in parts
        for planned in part.planned()
        if {planned.network, planned.teacher or planned.network} <= wanted
    ]
    for number, (part, planned) in enumerate(todo, 1):
        run = part.make(part.specification(planned))
        auc = run.record["validation_auc"]
        result = "diverged" if auc is None else f"validation AUC {auc:.4f}"
        spent = duration(time.monotonic() - start)
        print(f"{number} of {len(todo)} runs, {spent}: {planned.title}: {result}", flush=True)


def _add_assemble(commands: argparse._SubParsersAction) -> None:
    text = "gather the book's pages and a study's executed notebooks for jupyter-book"
    parser = commands.add_parser("assemble", help=text, description=text)
    _add_study(parser)
    parser.add_argument("target", type=Path, help="folder to create")
    parser.set_defaults(run=_assemble)


def _assemble(arguments: argparse.Namespace) -> None:
    from chestkd.pages import edition

    edition.assemble(_study(arguments), arguments.target)


def _add_publish(commands: argparse._SubParsersAction) -> None:
    text = "replace the published edition under book/ by a study's executed notebooks"
    parser = commands.add_parser("publish", help=text, description=text)
    _add_study(parser)
    parser.set_defaults(run=_publish)


def _publish(arguments: argparse.Namespace) -> None:
    from chestkd.pages import edition

    print(f"wrote {edition.publish(_study(arguments))}")


def _add_records(commands: argparse._SubParsersAction) -> None:
    text = "add the finished runs of a study to the records under book/, at any time of a sweep"
    parser = commands.add_parser("records", help=text, description=text)
    _add_study(parser)
    parser.set_defaults(run=_records)


def _records(arguments: argparse.Namespace) -> None:
    from chestkd.pages import records

    study = _study(arguments)
    folder = records.folder_of(study.preset.name)
    runs = records.write(study, folder)
    planned = len(study.planned()) + len(study.pretrained)
    print(f"{folder} has the records of {runs} of {planned} runs")


def _add_verify(commands: argparse._SubParsersAction) -> None:
    text = "compute the published tables again from the records of their runs, and compare"
    parser = commands.add_parser("verify", help=text, description=text)
    parser.set_defaults(run=_verify)


def _verify(arguments: argparse.Namespace) -> None:
    from chestkd import workspace
    from chestkd.pages import verification

    start = time.perf_counter()
    verified = verification.verify(workspace.root() / "book" / "notebooks")
    if verified.problems:
        print("\n".join(verified.problems))
        raise ValueError(f"{len(verified.problems)} things are not as published")
    print(verified.summary(time.perf_counter() - start))


def _add_timings(commands: argparse._SubParsersAction) -> None:
    text = "print where the book is and how long each stage took"
    parser = commands.add_parser("timings", help=text, description=text)
    _add_study(parser)
    parser.set_defaults(run=_timings)


def _timings(arguments: argparse.Namespace) -> None:
    from chestkd.pages import edition

    study = _study(arguments)
    print(edition.timings(study.folder))
    print(f"the book: {study.folder / 'html' / 'index.html'}")


if __name__ == "__main__":
    sys.exit(main())
