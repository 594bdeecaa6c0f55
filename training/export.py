"""Export stage: write `models/mini` as a stock diffusers folder from the averaged weights.

`python -m training.export` writes, loads the folder again as a user would, and draws one picture.
"""

import json
import time
from pathlib import Path
from typing import Annotated

import torch
import typer
from diffusers import (
    AutoencoderKL,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    StableDiffusionPipeline,
)

from training.autoencoder import DEEP_FILE
from training.codec import load_codec
from training.encoder import write_encoder
from training.lexicon import write_lexicon
from training.network import Mini
from training.places import AUTOENCODER_FILE, CODEC_FILE, DENOISER_FILE, MODEL
from training.tokenizer import build_tokenizer
from training.vae import DEEP, SHALLOW, build_vae, grow, interpolate

MOST_BYTES = 40_000_000


def load_vae() -> AutoencoderKL:
    """Build the deep VAE from the newest decoder and the codec.

    Without any checkpoint of a decoder the shipped one stays.
    """
    vae = build_vae(DEEP)
    if not (DEEP_FILE.exists() or AUTOENCODER_FILE.exists()):
        return AutoencoderKL.from_pretrained(MODEL / "vae").float()
    if DEEP_FILE.exists():
        vae.decoder.load_state_dict(
            torch.load(DEEP_FILE, map_location="cpu", weights_only=True)["average"]
        )
    else:
        small = build_vae(SHALLOW).decoder
        small.load_state_dict(
            torch.load(AUTOENCODER_FILE, map_location="cpu", weights_only=True)["average"]
        )
        grow(small, vae.decoder)
        interpolate(vae.decoder)
    write_encoder(vae.encoder, load_codec(CODEC_FILE))
    return vae


def build_scheduler() -> DPMSolverMultistepScheduler:
    """Build the sampler: second order, straight flow."""
    return DPMSolverMultistepScheduler(
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        flow_shift=1.0,
        final_sigmas_type="zero",
        solver_order=2,
        steps_offset=1,
    )


def build_pipeline(checkpoint: Path) -> StableDiffusionPipeline:
    """Assemble the pipeline; the text encoder stays in float32, the rest is stored in half."""
    tokenizer = build_tokenizer()
    model = Mini(tokenizer)
    model.load_state_dict(torch.load(checkpoint, map_location="cpu", weights_only=True)["average"])
    model.unet.set_default_attn_processor()
    return StableDiffusionPipeline(
        vae=load_vae().half(),
        text_encoder=model.text_encoder.float(),
        tokenizer=tokenizer,
        unet=model.unet.half(),
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def patch_tokenizer_class(folder: Path) -> None:
    """Name the tokenizer class that every transformers release has."""
    for path in (folder / "tokenizer" / "tokenizer_config.json", folder / "model_index.json"):
        text = path.read_text("utf-8").replace("TokenizersBackend", "PreTrainedTokenizerFast")
        path.write_text(json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n", "utf-8")


def open_to_readers(folder: Path) -> None:
    """Let every user of the machine read the weights; safetensors writes them private."""
    for path in folder.rglob("*.safetensors"):
        path.chmod(0o644)


def check(folder: Path) -> None:
    """Load the folder as a user would and draw one picture."""
    size_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    pipeline = DiffusionPipeline.from_pretrained(folder, local_files_only=True)
    started = time.monotonic()
    picture = pipeline("雪山下的湖，日落", num_inference_steps=20, guidance_scale=4.0).images[0]
    seconds = time.monotonic() - started
    typer.echo(f"{size_bytes / 1e6:.1f} MB, {picture.size}, 20 steps in {seconds:.1f} s")
    if size_bytes > MOST_BYTES:
        raise typer.Exit(code=1)


def main(
    out: Annotated[Path, typer.Option(help="folder to write")] = MODEL,
    checkpoint: Annotated[Path, typer.Option(help="denoiser checkpoint")] = DENOISER_FILE,
) -> None:
    """Write the model folder."""
    pipeline = build_pipeline(checkpoint)
    pipeline.save_pretrained(out, safe_serialization=True)
    patch_tokenizer_class(out)
    write_lexicon(out)
    open_to_readers(out)
    check(out)


if __name__ == "__main__":
    typer.run(main)
