import base64
import json
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import papermill
import pytest
from conftest import REPOSITORY

from chestkd.pages.parameters import (
    PercentScripts,
    declared_and_injected,
    declared_parameters,
    images_by_finding,
    names,
)

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.py"))

SCRIPT = """# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% tags=["parameters"]
from typing import Optional

epochs: int = 1  # how long
rate: Optional[float] = 0.1  # how fast
alpha: Optional[float] = None  # how much

# %%
from chestkd.pages.parameters import check_parameters

print(check_parameters())
"""


@pytest.fixture
def script(tmp_path) -> Path:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    return path


def run(script: Path, **parameters) -> str:
    target = script.with_suffix(".ipynb")
    papermill.execute_notebook(str(script), str(target), parameters=parameters, progress_bar=False)
    return printed(target)


def printed(notebook: Path) -> str:
    return nbformat.read(notebook, as_version=4).cells[-1].outputs[0].text.strip()


# papermill's own use of asyncio and of datetime warns on some Python versions.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore:The specified file")
class TestExecution:
    def test_parameters_reach_the_notebook(self, script):
        assert run(script) == "{'epochs': 1, 'rate': 0.1, 'alpha': None}"
        given = run(script, epochs=3, rate=0.5, alpha=0.25)
        assert given == "{'epochs': 3, 'rate': 0.5, 'alpha': 0.25}"
        assert run(script, rate=2, alpha=1) == "{'epochs': 1, 'rate': 2.0, 'alpha': 1.0}"
        assert run(script, alpha=None) == "{'epochs': 1, 'rate': 0.1, 'alpha': None}"

    def test_parameters_reach_the_notebook_from_the_command_line(self, script):
        """By -p, as readers give them, and by -b, as the workflow does."""
        encoded = base64.b64encode(json.dumps({"epochs": 3, "rate": None}).encode()).decode()
        target = script.with_suffix(".ipynb")
        options = ["-p", "alpha", "0.3", "-b", encoded]
        command = [sys.executable, "-m", "papermill", script, target, *options]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "unknown parameter" not in done.stderr
        assert printed(target) == "{'epochs': 3, 'rate': None, 'alpha': 0.3}"

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"epoch": 3}, "unknown parameter 'epoch'; allowed: epochs, rate, alpha"),
            ({"epochs": "3"}, "parameter epochs: expected int, received '3'"),
            ({"epochs": None}, "parameter epochs: expected int, received None"),
            ({"alpha": "x"}, "parameter alpha: expected float, received 'x'"),
        ],
    )
    def test_a_wrong_parameter_fails(self, script, parameters, message):
        with pytest.raises(papermill.PapermillExecutionError, match=message):
            run(script, **parameters)


def test_a_script_without_parameters_cell_is_refused(script):
    # Without `extension: .py` jupytext reads the light format, in which the tag is lost.
    script.write_text(SCRIPT.replace("#       extension: .py\n", ""))
    with pytest.raises(ValueError, match="no cell is tagged `parameters`"):
        PercentScripts.read(str(script))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_papermill_sees_the_parameters(path):
    """papermill reads `name: type = value  # help` by a regular expression of its own."""
    known = papermill.inspect_notebook(jupytext.read(path))
    assert list(known) == list(declared_parameters(path))
    assert all(parameter["help"] for parameter in known.values())


def test_the_injected_cell_is_told_from_the_declared_one():
    cell = "from typing import Optional\n\na: int = 1\nb: Optional[str] = None"
    sources = ["", cell, "# Parameters\na = 2\nc = 3", "%matplotlib", "d = 1", "from e import f"]
    assert declared_and_injected(sources) == ({"a": int, "b": str | None}, ["a", "c"])


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_says_how_to_run_it_and_checks_its_parameters(path):
    source = path.read_text(encoding="utf-8")
    assert declared_parameters(path) or path.stem == "paper-audit"
    assert f"papermill notebooks/{path.name}" in source
    assert "check_parameters()" in source
    cell = source.split('tags=["parameters"', 1)[1].split("\n# %%")[0]
    for line in cell.splitlines()[1:]:
        if not line or line.startswith(("# ", "from typing import ")):
            continue
        assert ": " in line.split("=")[0], f"no type: {line}"
        assert "  # " in line, f"no help: {line}"


def test_notebooks_are_written_once():
    """The percent scripts are the only source: no generated notebook is tracked beside them."""
    assert not [path for path in (REPOSITORY / "notebooks").glob("*.ipynb") if path.is_file()]


def test_names_in_one_line():
    assert names("Mass,  Nodule ,") == ["Mass", "Nodule"]
    assert names("") == []
    assert names("a.png, b.png", allowed=()) == ["a.png", "b.png"]
    with pytest.raises(ValueError, match="unknown name 'Fracture'; allowed: Atelectasis"):
        names("Mass, Fracture")


def test_one_image_for_each_finding():
    findings = ["Mass", "Nodule"]
    assert images_by_finding("a.png, b.png", findings) == {"Mass": "a.png", "Nodule": "b.png"}
    assert images_by_finding("", findings) == {}
    with pytest.raises(ValueError, match="1 images for 2 findings"):
        images_by_finding("a.png", findings)
