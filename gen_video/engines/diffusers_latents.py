"""Latents of pictures: encoded and scaled the way the families' pipelines sample them."""

from typing import Any, TypeAlias

import torch
from torch.nn import functional

Pipeline: TypeAlias = Any


def encode(pipeline: Pipeline, pictures: torch.Tensor) -> torch.Tensor:
    """Return the latents of pictures, without noise.

    Args:
        pipeline: Its autoencoder is used, on the device where it runs.
        pictures: Shape (batch, 3, height, width), values -1 to 1.

    Returns:
        Shape (batch, channels, rows, columns), float32; an autoencoder of clips sees single frames.
    """
    vae = pipeline.vae
    parameter = next(vae.parameters())
    device = getattr(pipeline, "_execution_device", parameter.device)
    batch = pictures.to(device, parameter.dtype)
    is_film = any(isinstance(part, torch.nn.Conv3d) for part in vae.encoder.modules())
    with torch.no_grad():
        encoded = vae.encode(batch[:, :, None] if is_film else batch)
        found = encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents
        latents: torch.Tensor = found[:, :, 0] if is_film else found
        return _normalise(vae, latents.float())


def _normalise(vae: Pipeline, latents: torch.Tensor) -> torch.Tensor:
    """Scale latents as the families do, each in its own way."""
    if hasattr(vae, "bn"):  # FLUX.2 takes four neighbours together
        packed = functional.pixel_unshuffle(latents, 2)
        mean, variance = vae.bn.running_mean, vae.bn.running_var
        spread = torch.sqrt(variance + vae.config.batch_norm_eps)
        return (packed - _column(mean, packed)) / _column(spread, packed)
    scale = float(vae.config.get("scaling_factor") or 1.0)
    mean, spread = (_statistic(vae, name) for name in ("latents_mean", "latents_std"))
    if mean is None or spread is None:
        return (latents - float(vae.config.get("shift_factor") or 0.0)) * scale
    return (latents - _column(mean, latents)) * scale / _column(spread, latents)


def _statistic(vae: Pipeline, name: str) -> torch.Tensor | None:
    found = vae.config.get(name)
    if found is None:
        found = dict(vae.named_buffers()).get(name)  # LTX keeps them beside its weights
    return None if found is None else torch.as_tensor(found)


def _column(values: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return values.flatten().to(like.device, like.dtype).view(1, -1, 1, 1)
