"""Previews: draw a sheet from a checkpoint while it is still training.

`python -m training.preview OUT.png` uses the averaged weights and the best decoder there is.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image
from torch import Tensor

from training.batches import tokenize
from training.codec import load_codec
from training.network import Mini, sample
from training.places import AUTOENCODER_FILE, CODEC_FILE, DENOISER_FILE, LATENT_CHANNELS
from training.precision import autocast
from training.sheet import paste_sheet
from training.tokenizer import build_tokenizer
from training.vae import SHALLOW, build_vae

PROMPTS = (
    "一个美丽的风景",
    "雪山下的湖，日落",
    "a starry night over the sea, a sailboat",
    "中午的大海，帆船",
    "sunset over the ocean",
    "夜晚的城市",
    "a city at noon",
    "森林，清晨",
    "autumn forest, red leaves",
    "desert dunes at sunset",
    "沙漠，星空",
    "水墨山水，红日",
    "春天的樱花，小屋",
    "green hills with a house, daytime",
    "snow mountains at night, moon, pine trees",
    "purple sunset over mountains",
)


def draw_pictures(latents: Tensor) -> list[Image.Image]:
    """Decode latents with the trained decoder, or with the codec before there is one."""
    if not AUTOENCODER_FILE.exists():
        pixels = load_codec(CODEC_FILE).decode(latents.numpy())
        return [Image.fromarray(picture) for picture in pixels]
    decoder = build_vae(SHALLOW).decoder
    decoder.load_state_dict(
        torch.load(AUTOENCODER_FILE, map_location="cpu", weights_only=True)["average"]
    )
    with torch.no_grad():
        drawn = torch.cat([decoder(part) for part in latents.split(4)])
    scaled = ((drawn.clamp(-1, 1) + 1) * 127.5).permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(picture) for picture in scaled.round().astype(np.uint8)]


def main(  # noqa: PLR0917 - typer reads options from the signature
    out: Annotated[Path, typer.Argument(help="where the PNG goes")],
    checkpoint: Annotated[Path, typer.Option(help="denoiser checkpoint")] = DENOISER_FILE,
    steps: Annotated[int, typer.Option(help="Euler steps")] = 20,
    guidance_scale: Annotated[float, typer.Option(help="1 is none")] = 3.0,
    columns: Annotated[int, typer.Option(help="latent cells across")] = 16,
    rows: Annotated[int, typer.Option(help="latent cells down")] = 16,
) -> None:
    """Draw one picture for each of the fixed prompts."""
    torch.set_num_threads(1)
    tokenizer = build_tokenizer()
    model = Mini(tokenizer).eval()
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model.load_state_dict(state["average"])
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(len(PROMPTS), LATENT_CHANNELS, rows, columns, generator=generator)
    tokens, empty = tokenize(tokenizer, list(PROMPTS)), tokenize(tokenizer, [""])
    with autocast(torch.device("cpu")):
        latents = sample(
            model, noise, tokens, empty, steps=steps, guidance_scale=guidance_scale
        ).float()
    paste_sheet(draw_pictures(latents), columns=8).save(out)
    typer.echo(f"step {state['step']}, {state['samples']} samples")


if __name__ == "__main__":
    typer.run(main)
