"""Percent scripts as notebooks: papermill reads them, and unknown parameters are refused.

The only source of a notebook is its `.py` file. `papermill notebooks/base.py out.ipynb -p ...`
works because the class below is registered under papermill's entry point. papermill itself only
logs an unknown parameter and never looks at types, so each notebook calls `check_parameters`
after its parameters cell.
"""

import ast
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

from chestkd.findings import FINDINGS
from chestkd.training.checked_dataclasses import convert

# papermill warns about every name that does not end in .ipynb.
warnings.filterwarnings("ignore", message=r"The specified file \(.*\.py\) does not end in one of")


class PercentScripts:
    """A papermill reader and writer of local files that also reads percent scripts."""

    @staticmethod
    def read(path: str) -> str:
        """The notebook as JSON text."""
        if not path.endswith(".py"):
            return Path(path).read_text(encoding="utf-8")
        import jupytext

        notebook = jupytext.read(path)
        if not any("parameters" in cell.metadata.get("tags", []) for cell in notebook.cells):
            raise ValueError(
                f"{path}: no cell is tagged `parameters`; the header must say "
                "`extension: .py` and `format_name: percent`"
            )
        return jupytext.writes(notebook, fmt="ipynb")

    @staticmethod
    def write(content: str, path: str) -> None:
        """Write an executed notebook, whole or not at all."""
        from chestkd.workspace import write_atomically

        write_atomically(Path(path), content)

    @staticmethod
    def listdir(path: str) -> list[str]:
        """Names in a folder, as papermill's own reader gives them."""
        return [str(each) for each in Path(path).iterdir()]

    @staticmethod
    def pretty_path(path: str) -> str:
        """The path as it is."""
        return path


def check_parameters() -> dict[str, Any]:
    """Check the values injected by papermill against the parameters cell; call it right after.

    Reads the source of the cells executed so far: the first declares the parameters as
    ``name: type = value  # help``, a later one starting with ``# Parameters`` was injected.
    A whole number given for a float becomes one. Returns all parameters; None is a value of those
    declared as ``Optional`` only. Raises ValueError for an unknown name or a value of another type.
    """
    from IPython import get_ipython

    shell = get_ipython()
    if shell is None:
        raise RuntimeError("check_parameters works inside a notebook only")
    declared, injected = declared_and_injected(shell.history_manager.input_hist_raw)
    unknown = sorted(set(injected) - set(declared))
    if unknown:
        allowed = ", ".join(declared) or "none"
        raise ValueError(f"unknown parameter {unknown[0]!r}; allowed: {allowed}")
    for name, hint in declared.items():
        shell.user_ns[name] = convert(shell.user_ns[name], hint, f"parameter {name}")
    return {name: shell.user_ns[name] for name in declared}


def declared_parameters(path: Path) -> dict[str, Any]:
    """Names and types of the parameters of a percent script."""
    import jupytext

    cells = jupytext.read(path).cells
    tagged = [cell.source for cell in cells if "parameters" in cell.metadata.get("tags", [])]
    return declared_and_injected(tagged)[0]


def declared_and_injected(sources: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Names with their types from the parameters cell, and the names that papermill assigned.

    The parameters cell has annotated assignments only, and imports for its types.
    """
    declared: dict[str, Any] = {}
    injected: list[str] = []
    for source in filter(None, sources):
        try:
            statements = ast.parse(source).body
        except SyntaxError:
            continue  # a cell magic, or a cell that failed
        if source.lstrip().startswith("# Parameters"):
            injected += _assigned(statements)
            continue
        statements = [each for each in statements if not isinstance(each, ast.ImportFrom)]
        annotated = [each for each in statements if isinstance(each, ast.AnnAssign)]
        if len(annotated) == len(statements):
            declared |= {ast.unparse(each.target): _type(each.annotation) for each in annotated}
    return declared, injected


def _type(annotation: ast.expr) -> Any:
    return eval(ast.unparse(annotation), {"Optional": Optional})


def _assigned(statements: list[ast.stmt]) -> list[str]:
    assignments = [each for each in statements if isinstance(each, ast.Assign)]
    return [ast.unparse(target) for each in assignments for target in each.targets]


def names(text: str, allowed: Sequence[str] = FINDINGS) -> list[str]:
    """A list in one line, "Effusion, Hernia", as names.

    Raises ValueError for a name that is not allowed; an empty `allowed` allows any.
    """
    listed = [name.strip() for name in text.split(",") if name.strip()]
    for name in listed:
        if allowed and name not in allowed:
            raise ValueError(f"unknown name {name!r}; allowed: {', '.join(allowed)}")
    return listed


def images_by_finding(text: str, findings: Sequence[str]) -> dict[str, str]:
    """Image names in one line, one for each finding in the same order; {} where none is given.

    Raises ValueError for another number of images than findings.
    """
    images = names(text, allowed=())
    if images and len(images) != len(findings):
        raise ValueError(
            f"{len(images)} images for {len(findings)} findings: give one for each finding"
        )
    return dict(zip(findings, images, strict=False))
