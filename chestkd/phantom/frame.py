"""The square an image is drawn on: chest coordinates, soft edges, strokes, textures.

Chest coordinates do not depend on the size of the image: x runs along the image's width
with 0 at the midline and +x at the patient's left (the right of the image), y runs down
from 0 to 1; both are in units of the image's width, before the pose is applied.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

# Images below 192 pixels are drawn two or more times as large, at least this large, and averaged
# down.
_LEAST_DRAWN = 128


@dataclass(frozen=True)
class Pose:
    """Where the chest lies in the image."""

    #: Tilt in radians, clockwise on the image.
    angle: float = 0.0
    #: Factor on every length.
    scale: float = 1.0
    #: Displacement in units of the image's width.
    right: float = 0.0
    down: float = 0.0


class Frame:
    """The pixels of one image in chest coordinates.

    - `size`: side of the finished image in pixels.
    - `oversampling`: drawn pixels per finished pixel and direction.
    - `pixels`: side of the drawn image, `size * oversampling`.
    - `x`, `y`: chest coordinates of the pixel centers, float64 (pixels, pixels).
    """

    def __init__(self, size: int, pose: Pose = Pose()):
        self.size = size
        self.oversampling = max(2 if size < 192 else 1, -(-_LEAST_DRAWN // size))
        self.pixels = size * self.oversampling
        self.pose = pose
        centers = (np.arange(self.pixels) + 0.5) / self.pixels - 0.5
        across = (centers - pose.right)[None, :] / pose.scale
        along = (centers - pose.down)[:, None] / pose.scale
        cos, sin = np.cos(pose.angle), np.sin(pose.angle)
        self.x = cos * across + sin * along
        self.y = cos * along - sin * across + 0.5

    @property
    def pixel(self) -> float:
        """Side of a drawn pixel in chest coordinates."""
        return 1 / (self.pixels * self.pose.scale)

    def rows_and_columns(self, points: np.ndarray) -> np.ndarray:
        """Fractional (row, column) of chest points (N, 2) given as (x, y)."""
        cos, sin = np.cos(self.pose.angle), np.sin(self.pose.angle)
        x, y = points[:, 0], points[:, 1] - 0.5
        column = (cos * x - sin * y) * self.pose.scale + self.pose.right
        row = (sin * x + cos * y) * self.pose.scale + self.pose.down
        return (np.stack([row, column], axis=1) + 0.5) * self.pixels - 0.5

    def step(self, distance: np.ndarray, width: float = 0.004) -> np.ndarray:
        """0 where `distance` is negative, 1 where positive, smooth over `width`.

        The width is never less than 1.5 drawn pixels, so that no edge is jagged.
        """
        ramp = np.clip(distance / max(width, 1.5 * self.pixel) + 0.5, 0, 1)
        return ramp * ramp * (3 - 2 * ramp)

    def strokes(
        self, points: np.ndarray, radii: np.ndarray, weights: np.ndarray, lengths: np.ndarray
    ) -> np.ndarray:
        """Soft lines through densely sampled points, added up: (pixels, pixels).

        - `points`: (N, 2) chest coordinates (x, y).
        - `radii`: (N,) half-width of the line at each point, in chest units.
        - `weights`: (N,) height of the line's ridge at each point.
        - `lengths`: (N,) length of line that each point represents, in chest units.
        """
        image = np.zeros((self.pixels, self.pixels))
        if len(points) == 0:
            return image
        sigma = np.maximum(0.6 * radii / self.pixel, 0.5)
        # A line thinner than a pixel is drawn a pixel wide and as much fainter.
        mass = weights * (0.6 * radii / self.pixel) * np.sqrt(2 * np.pi) * lengths / self.pixel
        octave = np.round(2 * np.log2(sigma)).astype(int)
        positions = self.rows_and_columns(points)
        for step in np.unique(octave):
            chosen = octave == step
            splat = self._splat(positions[chosen], mass[chosen])
            image += ndimage.gaussian_filter(splat, 2 ** (step / 2), truncate=3, mode="constant")
        return image

    def _splat(self, positions: np.ndarray, mass: np.ndarray) -> np.ndarray:
        side = self.pixels
        inside = np.all((positions > -1) & (positions < side), axis=1)
        positions, mass = positions[inside] + 1, mass[inside]
        corner = np.floor(positions).astype(int)
        row, column = (positions - corner).T
        padded = np.zeros((side + 2) ** 2)
        for down in (0, 1):
            for right in (0, 1):
                share = (row if down else 1 - row) * (column if right else 1 - column)
                index = (corner[:, 0] + down) * (side + 2) + corner[:, 1] + right
                padded += np.bincount(index, share * mass, (side + 2) ** 2)
        return padded.reshape(side + 2, side + 2)[1:-1, 1:-1]

    def texture(
        self, generator: np.random.Generator, exponent: float, cells: int = 64
    ) -> np.ndarray:
        """Cloudy noise fixed to the chest, mean about 0, standard deviation about 1.

        Its amplitude falls with spatial frequency f as f ** -exponent; `cells` is the
        number of lattice cells across the image, the same at every size.
        """
        field = lattice_noise(generator, exponent, cells)
        rows = (self.y + 0.1) * (cells - 1) / 1.2
        columns = (self.x + 0.6) * (cells - 1) / 1.2
        return ndimage.map_coordinates(field, [rows, columns], order=1, mode="reflect")

    def finish(self, image: np.ndarray) -> np.ndarray:
        """Average (pixels, pixels) down to (size, size)."""
        k = self.oversampling
        return image.reshape(self.size, k, self.size, k).mean(axis=(1, 3))


def lattice_noise(generator: np.random.Generator, exponent: float, cells: int) -> np.ndarray:
    """Periodic noise (cells, cells), mean 0, standard deviation 1, amplitude f ** -exponent."""
    white = generator.standard_normal((cells, cells))
    down, across = np.fft.fftfreq(cells)[:, None], np.fft.rfftfreq(cells)[None, :]
    frequency = np.hypot(down, across)
    frequency[0, 0] = 1
    spectrum = np.fft.rfft2(white) * frequency**-exponent
    spectrum[0, 0] = 0
    field = np.fft.irfft2(spectrum, (cells, cells))
    return field / field.std()


def polyline(corners: np.ndarray, spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Points about `spacing` apart along a line (K, 2), and the length that each represents."""
    segments = np.hypot(*np.diff(corners, axis=0).T)
    position = np.concatenate([[0], np.cumsum(segments)])
    count = max(2, int(np.ceil(position[-1] / spacing)))
    at = (np.arange(count) + 0.5) / count * position[-1]
    points = np.stack([np.interp(at, position, corners[:, axis]) for axis in (0, 1)], axis=1)
    return points, np.full(count, position[-1] / count)
