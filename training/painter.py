"""Painter: the exported pipeline as the evaluation uses it, down to latents where those do."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from numpy.typing import NDArray
from torch import Tensor

Picture = NDArray[np.float32]  # (height, width, 3), 0 to 1


class Painter:
    """Draws with the exported pipeline."""

    def __init__(self, folder: Path, *, steps: int, guidance_scale: float) -> None:
        self.pipeline = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)
        self.pipeline.set_progress_bar_config(disable=True)
        self.steps, self.guidance_scale = steps, guidance_scale

    def draw_latents(self, prompts: Sequence[str], seed: int) -> Tensor:
        """Return latents of one picture per prompt, with seeds counting up from `seed`."""
        generators = [torch.Generator().manual_seed(seed + index) for index in range(len(prompts))]
        return self.pipeline(
            list(prompts),
            num_inference_steps=self.steps,
            guidance_scale=self.guidance_scale,
            generator=generators,
            output_type="latent",
        ).images

    @torch.no_grad()
    def draw(self, prompts: Sequence[str], seed: int) -> list[Picture]:
        """Return one picture of 256 pixels per prompt, shrunk from the native size."""
        return [shrink(self.decode(part)) for part in self.draw_latents(prompts, seed).split(1)]

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Picture:
        """Decode one picture at the native size."""
        drawn = self.pipeline.vae.decode(latents).sample.clamp(-1, 1) / 2 + 0.5
        return drawn[0].permute(1, 2, 0).numpy()


def shrink(picture: Picture) -> Picture:
    """Return the picture four times smaller."""
    height, width, channels = picture.shape
    return picture.reshape(height // 4, 4, width // 4, 4, channels).mean((1, 3))
