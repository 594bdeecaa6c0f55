"""Codec: the fixed linear map between pictures and latents.

Each 16 x 16 patch of a picture that is 256 pixels on its long side becomes 16 numbers: its
principal components, coarse first. Nothing is learned by gradient here, so the latents exist
before the autoencoder does; the decoder is trained to invert them.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.places import LATENT_CHANNELS

Floats = NDArray[np.float32]
CODEC_PATCH = 16
# 1 would give every channel the same weight (shapes drown colours), 0 keeps pixel energy.
WHITENING = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec:
    """Principal components: `basis` (channels, 768), `mean` (768,), `scale` (channels,)."""

    basis: Floats
    mean: Floats
    scale: Floats

    def encode(self, pictures: NDArray[np.uint8]) -> Floats:
        """Map (n, height, width, 3) bytes to latents (n, channels, height / 16, width / 16)."""
        patches = cut_patches(pictures)
        latents = ((patches - self.mean) @ self.basis.T) * self.scale
        return np.ascontiguousarray(latents.transpose(0, 3, 1, 2), np.float32)

    def decode(self, latents: Floats) -> NDArray[np.uint8]:
        """Map latents back to pictures, as well as a linear map can."""
        count, _, rows, columns = latents.shape
        patches = (latents.transpose(0, 2, 3, 1) / self.scale) @ self.basis + self.mean
        tiles = patches.reshape(count, rows, columns, CODEC_PATCH, CODEC_PATCH, 3)
        pixels = tiles.transpose(0, 1, 3, 2, 4, 5).reshape(
            count, rows * CODEC_PATCH, columns * CODEC_PATCH, 3
        )
        return np.clip((pixels + 1) * 127.5, 0, 255).round().astype(np.uint8)

    def save(self, path: Path) -> None:
        """Write the codec to a file."""
        np.savez(path, basis=self.basis, mean=self.mean, scale=self.scale)


def load_codec(path: Path) -> Codec:
    """Read a codec."""
    with np.load(path) as arrays:
        return Codec(basis=arrays["basis"], mean=arrays["mean"], scale=arrays["scale"])


def cut_patches(pictures: NDArray[np.uint8]) -> Floats:
    """Cut pictures into patches; values from -1 to 1, shape (n, rows, columns, 768)."""
    count, height, width, _ = pictures.shape
    rows, columns = height // CODEC_PATCH, width // CODEC_PATCH
    tiles = pictures.reshape(count, rows, CODEC_PATCH, columns, CODEC_PATCH, 3)
    patches = tiles.transpose(0, 1, 3, 2, 4, 5).reshape(count, rows, columns, -1)
    return patches.astype(np.float32) / 127.5 - 1


def fit_codec(pictures: NDArray[np.uint8]) -> Codec:
    """Find the principal components of all patches, mirror images included."""
    both = np.concatenate((pictures, pictures[:, :, ::-1]))
    patches = cut_patches(both).reshape(-1, CODEC_PATCH * CODEC_PATCH * 3)
    mean = patches.mean(0)
    centered = patches - mean
    values, vectors = np.linalg.eigh(centered.T @ centered / len(patches))
    order = np.argsort(values)[::-1][:LATENT_CHANNELS]
    variances, basis = values[order], vectors[:, order].T
    spread = variances ** (0.5 * (1 - WHITENING))
    spread = spread / np.sqrt(np.mean(spread**2))
    scale = spread / np.sqrt(variances)
    return Codec(
        basis=basis.astype(np.float32),
        mean=mean.astype(np.float32),
        scale=scale.astype(np.float32),
    )
