"""From executed notebooks to a folder that jupyter-book can build, and how long it all took."""

import hashlib
import shutil
from pathlib import Path

import nbformat
import pandas as pd

from chestkd import workspace
from chestkd.data.dataset import PHANTOM_NAME
from chestkd.networks.architectures import NETWORKS
from chestkd.pages import records
from chestkd.study.study import Study
from chestkd.workspace import duration

NOTEBOOKS = "notebooks"
RUNS = "runs"


def assemble(study: Study, target: Path) -> None:
    """Copy the book's prose pages and configuration and the study's notebooks into ``target``.

    The published edition's notebooks under `book/notebooks` are left out: a page that this study
    did not execute is a broken link in its table of contents, not somebody else's result.
    """
    temporary = target.with_name(f".{target.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    ignored = shutil.ignore_patterns("_build", NOTEBOOKS, "records")
    shutil.copytree(workspace.root() / "book", temporary, ignore=ignored)
    _copy_notebooks(study, temporary / NOTEBOOKS)
    shutil.rmtree(target, ignore_errors=True)
    temporary.replace(target)


def publish(study: Study) -> Path:
    """Replace the published edition by the notebooks of a study on the phantom, and its records.

    Raises ValueError for any other data: no real radiograph is ever published.
    """
    if study.dataset.name != PHANTOM_NAME:
        raise ValueError(f"only a PHANTOM edition can be published, not {study.dataset.name}")
    target = workspace.root() / "book" / NOTEBOOKS
    temporary = target.with_name(f".{target.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    _copy_notebooks(study, temporary)
    recorded = records.folder_of(study.preset.name)
    shutil.rmtree(recorded, ignore_errors=True)
    records.write(study, recorded)
    shutil.rmtree(target, ignore_errors=True)
    temporary.replace(target)
    return target


def _copy_notebooks(study: Study, target: Path) -> None:
    for page in sorted((study.folder / "pages").glob("*.ipynb")):
        _copy(study, page, target / page.name, page.stem, None)
    for planned in study.planned():
        path = Path(RUNS, f"{planned.key}.ipynb")
        _copy(study, study.folder / path, target / path, planned.strategy, planned.title)
    for network in study.pretrained:
        path = Path(RUNS, f"pretraining-{network}.ipynb")
        title = f"Pre-training: {NETWORKS[network].title}"
        _copy(study, study.folder / path, target / path, "pretraining", title)


def _copy(study: Study, executed: Path, target: Path, source: str, title: str | None) -> None:
    """Copy an executed notebook with the hash of its source and the name of its preset.

    Runs of one strategy share a source, so each gets a ``title`` of its own. What papermill noted
    about the folders of this machine is left out.
    """
    notebook = nbformat.read(executed, as_version=4)
    notebook.metadata.pop("papermill", None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        # Libraries chat on stderr; a notebook that failed never gets here.
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    origin = {"source": source_name(source), "sha256": source_hash(source)}
    notebook.metadata["chestkd"] = origin | {"preset": study.preset.name}
    if title is not None:
        heading = notebook.cells[0]
        heading.source = "\n".join([f"# {title}", *heading.source.split("\n")[1:]])
    workspace.write_atomically(target, nbformat.writes(notebook))


def source_name(notebook: str) -> str:
    """The percent script of a page or strategy, from the repository."""
    return f"notebooks/{notebook}.py"


def source_hash(notebook: str) -> str:
    """SHA-256 of the percent script's text, with any line endings."""
    text = workspace.resolve(source_name(notebook)).read_text(encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def outdated() -> list[str]:
    """Notebooks of the published edition whose source has changed since, or is gone."""
    edition = workspace.resolve(Path("book", NOTEBOOKS))
    changed = []
    for path in sorted(edition.rglob("*.ipynb")):
        noted = nbformat.read(path, as_version=4).metadata.get("chestkd", {})
        source = Path(noted.get("source", "none")).stem
        script = workspace.resolve(source_name(source))
        if not script.is_file() or source_hash(source) != noted["sha256"]:
            changed.append(str(path.relative_to(edition)))
    return changed


def stages(folder: Path) -> pd.DataFrame:
    """How long each stage took when it last ran, longest first: ``stage``, ``seconds``, ``time``.

    ``folder`` is the study's, with the benchmark files of Snakemake in `timings`.
    """
    times = {
        path.stem: float(pd.read_csv(path, sep="\t")["s"].iloc[0])
        for path in (folder / "timings").glob("*.tsv")
    }
    rows = sorted(times.items(), key=lambda row: -row[1])
    table = pd.DataFrame(rows, columns=["stage", "seconds"])
    return table.assign(time=[duration(seconds) for seconds in table["seconds"]])


def timings(folder: Path) -> str:
    """The table of `stages` as text, and their sum."""
    table = stages(folder)
    if table.empty:
        return f"no timings in {folder}"
    rows = [
        *zip(table["stage"], table["time"], strict=True),
        ("all", duration(table["seconds"].sum())),
    ]
    return "\n".join(
        ["stage, when it last ran", *(f"  {name:<32}{time:>14}" for name, time in rows)]
    )
