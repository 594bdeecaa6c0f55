"""Masks for pipelines that know none: after each step the rest is put back, as noisy as is due.

The stock inpainting pipeline of Stable Diffusion takes networks of 4 or 9 channels only; those of
others are masked here, with the image-to-image pipeline of the same weights.

Source: Avrahami et al. 2022, "Blended Latent Diffusion", algorithm 1.
"""

import torch
from PIL import Image

from gen_video.engines.diffusers_latents import encode
from gen_video.engines.diffusers_models import Pipeline
from gen_video.engines.noise import noise_levels


class LatentMask:
    """Keeps what lies outside a mask while a pipeline samples.

    Args:
        pipeline: Whose latents are shaped (batch, channels, rows, columns).
        picture: As it is, at the size that the pipeline samples at.
        mask: Of the same size, grown to whole cells of the latents: white is drawn anew.
        seed: Of the noise.
    """

    def __init__(
        self, pipeline: Pipeline, picture: Image.Image, mask: Image.Image, *, seed: int
    ) -> None:
        self._clean = encode(pipeline, as_tensor(picture))
        generator = torch.Generator("cpu").manual_seed(seed)
        noise = torch.randn(self._clean.shape, generator=generator)
        self._noise = noise.to(self._clean.device)
        rows, columns = self._clean.shape[-2:]
        small = mask.resize((columns, rows), Image.Resampling.NEAREST)
        bits = torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8)
        self._is_new = bits.view(1, 1, rows, columns).to(self._clean.device) > 0

    def blend(self, pipeline: Pipeline, latents: torch.Tensor, timestep: object) -> torch.Tensor:
        """Return the latents after a step with the picture's own outside the mask."""
        levels = noise_levels(pipeline.scheduler, timestep)
        if levels is None:
            return latents
        signal, noise = levels[1]
        kept = (signal * self._clean + noise * self._noise).to(latents.dtype)
        return torch.where(self._is_new, latents, kept)


def as_tensor(picture: Image.Image) -> torch.Tensor:
    """Return a picture as a batch of one, shape (1, 3, height, width), values -1 to 1."""
    pixels = torch.frombuffer(bytearray(picture.convert("RGB").tobytes()), dtype=torch.uint8)
    shaped = pixels.view(1, picture.height, picture.width, 3).permute(0, 3, 1, 2)
    return shaped.float() / 127.5 - 1
