"""Codec and encoder: the stock encoder reproduces the linear codec."""

import numpy as np
import pytest

pytest.importorskip("skia", reason="the renderer needs skia: pip install -e '.[training]'")
pytest.importorskip("torch", reason="the encoder needs the engine extra")

import torch

from training.codec import fit_codec
from training.encoder import write_encoder
from training.scene import render
from training.vae import DEEP, build_vae


def test_the_stock_encoder_gives_the_latents_of_the_codec() -> None:
    pictures = np.stack([render(seed, 256, 256) for seed in range(60)])
    codec = fit_codec(pictures)
    vae = build_vae(DEEP).eval()
    write_encoder(vae.encoder, codec)
    large = torch.from_numpy(pictures[:1]).permute(0, 3, 1, 2).float() / 127.5 - 1
    large = torch.nn.functional.interpolate(large, scale_factor=4)

    with torch.no_grad():
        latents = vae.encode(large).latent_dist.mean.numpy()

    assert np.square(latents - codec.encode(pictures[:1])).mean() < 0.01


def test_the_codec_keeps_most_of_a_picture() -> None:
    pictures = np.stack([render(seed, 256, 256) for seed in range(60)])
    codec = fit_codec(pictures)

    error = codec.decode(codec.encode(pictures)).astype(float) - pictures

    assert 10 * np.log10(255**2 / np.square(error).mean()) > 26
