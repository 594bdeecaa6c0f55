"""Export stage of the film model: write `models/mini-video` as a stock diffusers folder.

`python -m training.export_film` takes the averaged weights of `training.film`, the autoencoder of
`models/mini`, loads the folder again as a user would, and draws a few frames.
"""

import json
import time
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from diffusers import AutoencoderKL, DiffusionPipeline, StableDiffusionPipeline

from training.export import build_scheduler, open_to_readers, patch_tokenizer_class
from training.film import FILM_FILE
from training.lexicon import write_lexicon
from training.network import Mini
from training.places import MODEL
from training.timeline import CHANNELS, unfold, write_timeline
from training.tokenizer import build_tokenizer

FILM_MODEL = MODEL.with_name("mini-video")
TRIAL_FRAMES = 8


def build_pipeline(checkpoint: Path) -> StableDiffusionPipeline:
    """Assemble the pipeline; the text encoder stays in float32, the rest is stored in half."""
    tokenizer = build_tokenizer()
    model = Mini(tokenizer, CHANNELS)
    model.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["average"])
    model.unet.set_default_attn_processor()
    return StableDiffusionPipeline(
        vae=AutoencoderKL.from_pretrained(MODEL / "vae").half(),
        text_encoder=model.text_encoder.float(),
        tokenizer=tokenizer,
        unet=model.unet.half(),
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def forget_origin(folder: Path) -> None:
    """Take out where on this machine the autoencoder came from."""
    path = folder / "vae" / "config.json"
    config = json.loads(path.read_text("utf-8"))
    config.pop("_name_or_path", None)
    path.write_text(json.dumps(config, indent=2) + "\n", "utf-8")


@torch.no_grad()
def check(folder: Path) -> None:
    """Load the folder as a user would and draw a few frames of one clip."""
    size_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    pipeline = DiffusionPipeline.from_pretrained(folder, local_files_only=True)
    started = time.monotonic()
    folded = pipeline(
        "海上日出，帆船",
        width=1024,
        height=576,
        num_inference_steps=20,
        guidance_scale=4.0,
        output_type="latent",
    ).images[0]
    frames = torch.from_numpy(unfold(folded.numpy(), TRIAL_FRAMES))
    drawn = pipeline.vae.decode(frames).sample
    moved = float(np.abs(np.diff(drawn.numpy(), axis=0)).mean())
    seconds = time.monotonic() - started
    typer.echo(
        f"{size_bytes / 1e6:.1f} MB, {len(frames)} frames in {seconds:.1f} s, moved {moved:.4f}"
    )


def main(
    out: Annotated[Path, typer.Option(help="folder to write")] = FILM_MODEL,
    checkpoint: Annotated[Path, typer.Option(help="film checkpoint")] = FILM_FILE,
) -> None:
    """Write the model folder."""
    pipeline = build_pipeline(checkpoint)
    pipeline.save_pretrained(out, safe_serialization=True)
    patch_tokenizer_class(out)
    forget_origin(out)
    write_lexicon(out)
    write_timeline(out)
    open_to_readers(out)
    check(out)


if __name__ == "__main__":
    typer.run(main)
