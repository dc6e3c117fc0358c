"""Write captum_maps.npz: a small network's weights, inputs, and what captum makes of them.

    python tests/reference/captum_maps.py

needs torch and captum, which the project does not: the file was written once, with the versions
that it names, and tests compare with it.
"""

from pathlib import Path

import captum
import numpy as np
import torch
from captum.attr import GuidedBackprop, IntegratedGradients, LayerGradCam, Saliency

FINDING = 4
STEPS = 64


class Network(torch.nn.Module):
    """Two convolutions of 3 x 3 with ReLU, the average, 14 logits; pixel values come in."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(1, 6, 3, padding=1)
        self.first_relu = torch.nn.ReLU()
        self.second = torch.nn.Conv2d(6, 8, 3, stride=2)
        self.second_relu = torch.nn.ReLU()
        self.logits = torch.nn.Linear(8, 14)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits (N, 14) of images (N, 1, H, W)."""
        maps = self.first_relu(self.first(images / 127.5 - 1))
        maps = self.second_relu(self.second(maps))
        return self.logits(maps.mean(dim=(2, 3)))


def main() -> None:
    """Draw weights and images, explain them, write the file."""
    torch.manual_seed(20)
    network = Network()
    images = torch.randint(0, 256, (3, 1, 17, 17)).float()
    integrated, delta = IntegratedGradients(network).attribute(
        images, target=FINDING, n_steps=STEPS, method="gausslegendre", return_convergence_delta=True
    )
    maps = {
        "gradient": Saliency(network).attribute(images, target=FINDING, abs=False),
        "integrated": integrated,
        # Without the final ReLU: captum's layer map is signed.
        "grad_cam": LayerGradCam(network, network.second_relu).attribute(images, target=FINDING),
        "guided": GuidedBackprop(network).attribute(images, target=FINDING),
    }
    weights = {}
    for name, value in network.state_dict().items():
        order = (2, 3, 1, 0) if value.ndim == 4 else (1, 0) if value.ndim == 2 else (0,)
        weights[name] = value.numpy().transpose(order)  # as Keras keeps them
    np.savez_compressed(
        Path(__file__).with_suffix(".npz"),
        images=images.numpy()[:, 0],
        values=network(images).detach().numpy(),
        delta=delta.detach().numpy(),
        versions=np.array([f"torch {torch.__version__}", f"captum {captum.__version__}"]),
        **{name: value.detach().numpy()[:, 0].astype(np.float32) for name, value in maps.items()},
        **weights,
    )


if __name__ == "__main__":
    main()
