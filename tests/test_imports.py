"""Which modules load a backend: commands, drawing processes and readers must start without one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import chestkd

# Whatever computes with a network. Every other module of the package is light.
WITH_KERAS = {
    "chestkd.distillation.losses",
    "chestkd.networks.backend",
    "chestkd.networks.build",
    "chestkd.networks.imagenet_weights",
    "chestkd.networks.initial_weights",
    "chestkd.networks.resnet32",
    "chestkd.pages.figure_4",
    "chestkd.pages.figure_5",
    "chestkd.pages.loss_forms",
    "chestkd.pages.map_panels",
    "chestkd.pages.saliency_trust",
    "chestkd.pages.shortcut",
    "chestkd.saliency.cam",
    "chestkd.saliency.copies",
    "chestkd.saliency.grad_cam",
    "chestkd.saliency.gradient",
    "chestkd.saliency.guided_backpropagation",
    "chestkd.saliency.integrated_gradients",
    "chestkd.saliency.logit",
    "chestkd.saliency.methods",
    "chestkd.saliency.randomization",
    "chestkd.saliency.smoothgrad",
    "chestkd.study.explained_network",
    "chestkd.training.batches",
    "chestkd.training.checkpoints",
    "chestkd.training.loop",
    "chestkd.training.optimizer",
    "chestkd.training.progress",
    "chestkd.training.run_network",
    "chestkd.training.teacher_logits",
}
# What the Snakefile, `--help`, `make plan` and the processes that draw the phantom import.
LIGHT = {
    "chestkd.__main__",
    "chestkd.data.nih",
    "chestkd.data.prepare",
    "chestkd.data.splits",
    "chestkd.distillation.strategies",
    "chestkd.evaluation.auc",
    "chestkd.evaluation.localization",
    "chestkd.evaluation.marked_regions",
    "chestkd.findings",
    "chestkd.networks.architectures",
    "chestkd.pages.claims",
    "chestkd.pages.edition",
    "chestkd.pages.html",
    "chestkd.pages.parameters",
    "chestkd.pages.phantom",
    "chestkd.pages.records",
    "chestkd.pages.verification",
    "chestkd.paper.audit",
    "chestkd.paper.claims",
    "chestkd.paper.published",
    "chestkd.phantom.command",
    "chestkd.phantom.render",
    "chestkd.phantom.specification",
    "chestkd.phantom.writing",
    "chestkd.study.cost",
    "chestkd.study.planned_runs",
    "chestkd.study.presets",
    "chestkd.study.study",
    "chestkd.study.table_cells",
    "chestkd.training.compact_scores",
    "chestkd.training.specification",
    "chestkd.training.store",
    "chestkd.workspace",
}
# Imports each module with the backends out of reach. What a failed import leaves half done is
# taken away by Python itself, so that the next module is imported as if it were the first.
IMPORTER = """
import importlib, json, sys

class OutOfReach:
    def find_spec(self, name, path=None, target=None):
        if name in ("keras", "tensorflow", "jax"):
            raise RuntimeError(name)

sys.meta_path.insert(0, OutOfReach())
loaded = {}
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except RuntimeError as error:
        loaded[name] = str(error)
print(json.dumps(loaded))
"""


def modules() -> set[str]:
    """Every module of the package, `chestkd.training` and `chestkd.training.loop` alike."""
    root = Path(chestkd.__path__[0])
    paths = (path.relative_to(root.parent).with_suffix("") for path in root.rglob("*.py"))
    return {".".join(path.parts).removesuffix(".__init__") for path in paths}


@pytest.fixture(scope="module")
def loaded() -> dict[str, str]:
    """Module to the backend that importing it would load, of the modules that would."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTER, *sorted(modules())],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_only_what_computes_with_networks_loads_a_backend(loaded):
    new, no_longer = sorted(set(loaded) - WITH_KERAS), sorted(WITH_KERAS - set(loaded))
    assert set(loaded) == WITH_KERAS, f"load one now: {new}; no longer: {no_longer}"


@pytest.mark.parametrize("module", sorted(LIGHT))
def test_a_light_module_loads_no_backend(loaded, module):
    assert module in modules()
    assert module not in loaded
