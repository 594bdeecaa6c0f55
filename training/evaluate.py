"""Evaluate stage: measure the exported folder, and print the table of the model card.

`python -m training.evaluate` loads `models/mini` as a user would. Held-out seeds only.
"""

import time
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from training.codec import load_codec
from training.grades import (
    Rows,
    draw_samples,
    grade_novelty,
    grade_obedience,
    grade_sharpness,
)
from training.judge import QUESTIONS, answer, load_judge
from training.painter import Painter, Picture
from training.places import CODEC_FILE, HELD_OUT_SEED, MODEL
from training.scene import render
from training.world import OBJECTS, sample_scene

NIGHTS = ("一片大海，夜晚", "mountains at night", "夜晚的森林", "a city at night")
NOONS = ("一片大海，中午", "mountains at noon", "中午的森林", "a city at noon")
SUNSETS = ("大海，日落", "mountains at sunset", "夕阳下的丘陵", "sunset over a lake")
SEAS = ("白天的大海", "the ocean at noon", "蔚蓝的海面，中午")
FORESTS = ("白天的森林", "a forest at noon", "翠绿的树林，中午")
PAIRS = (
    ("夜晚的大海", "the sea at night"),
    ("日落，雪山", "snow mountains at sunset"),
    ("中午的森林", "a forest at noon"),
    ("沙漠，黄昏", "a desert at dusk"),
    ("水墨山水", "ink painting of mountains"),
    ("夜晚的城市", "a city at night"),
)


def luminance(picture: Picture) -> float:
    """Return the mean brightness."""
    return float((picture @ np.array([0.2126, 0.7152, 0.0722], np.float32)).mean())


def warmth(picture: Picture) -> float:
    """Return how much more red than blue there is."""
    return float((picture[..., 0] - picture[..., 2]).mean())


def blueness(picture: Picture) -> float:
    """Return how much more blue than green there is in the lower half."""
    lower = picture[len(picture) // 2 :]
    return float((lower[..., 2] - lower[..., 1]).mean())


def compare(
    painter: Painter,
    measure: Callable[[Picture], float],
    high: tuple[str, ...],
    low: tuple[str, ...],
) -> str:
    """Say the mean of a measure on two groups of prompts and how often single pictures agree."""
    above = [measure(picture) for seed in (1, 50) for picture in painter.draw(high, seed)]
    below = [measure(picture) for seed in (1, 50) for picture in painter.draw(low, seed)]
    wins = np.mean([[a > b for b in below] for a in above])
    return f"{np.mean(above):.2f} > {np.mean(below):.2f}, in {wins:.0%} of pairs"


def measure_colors(painter: Painter) -> Rows:
    """Check that light and colour follow the prompt."""
    return [
        ("luminance, noon > night", compare(painter, luminance, NOONS, NIGHTS)),
        ("red minus blue, sunset > noon", compare(painter, warmth, SUNSETS, NOONS)),
        ("blue minus green below, sea > forest", compare(painter, blueness, SEAS, FORESTS)),
    ]


def measure_languages(painter: Painter) -> Rows:
    """Compare pictures of the same seed whose prompts say the same in two languages."""
    chinese = painter.draw(tuple(pair[0] for pair in PAIRS), 7)
    english = painter.draw(tuple(pair[1] for pair in PAIRS), 7)

    def apart(a: Picture, b: Picture) -> float:
        return float(np.abs(a.mean((0, 1)) - b.mean((0, 1))).mean())

    same = np.mean([apart(a, b) for a, b in zip(chinese, english, strict=True)])
    other = np.mean([apart(a, b) for a, b in combinations(chinese, 2)])
    return [("mean colour apart: zh and en / other prompts", f"{same:.3f} / {other:.3f}")]


def measure_seeds(painter: Painter) -> Rows:
    """Compare pictures of one prompt and different seeds."""
    pictures = painter.draw(("一个美丽的风景",) * 8, 100)
    gaps = [float(np.abs(a - b).mean()) for a, b in combinations(pictures, 2)]
    return [
        ("mean difference between seeds, least / mean", f"{min(gaps):.3f} / {np.mean(gaps):.3f}")
    ]


@torch.no_grad()
def measure_autoencoder(painter: Painter, count: int) -> Rows:
    """Encode and decode held-out renders at the native size."""
    errors, vae = [], painter.pipeline.vae
    for seed in range(HELD_OUT_SEED, HELD_OUT_SEED + count):
        picture = torch.from_numpy(render(seed, 1024, 1024).astype(np.float32) / 127.5 - 1)
        picture = picture.permute(2, 0, 1)[None]
        drawn = vae.decode(vae.encode(picture).latent_dist.mean).sample.clamp(-1, 1)
        errors.append((drawn - picture).square().mean().item() / 4)
    mean = np.mean([-10 * np.log10(error) for error in errors])
    return [(f"autoencoder PSNR at 1024 x 1024, {count} held-out renders", f"{mean:.2f} dB")]


def encode_held_out(count: int) -> torch.Tensor:
    """Return latents of held-out renders that no other measure uses."""
    seeds = range(HELD_OUT_SEED + 5000, HELD_OUT_SEED + 5000 + count)
    pictures = np.stack([render(seed, 256, 256) for seed in seeds])
    return torch.from_numpy(load_codec(CODEC_FILE).encode(pictures))


@torch.no_grad()
def measure_judge(held_out: torch.Tensor) -> Rows:
    """Let the judge look at true renders, through the codec: the best any model could get."""
    said = load_judge()(held_out)
    truth = [answer(sample_scene(HELD_OUT_SEED + 5000 + index)) for index in range(len(held_out))]
    rights = {
        name: (said[name].argmax(1) == torch.tensor([scene[name] for scene in truth])).float()
        for name in QUESTIONS
    }
    moods = ", ".join(f"{name} {rights[name].mean():.0%}" for name in QUESTIONS.keys() - OBJECTS)
    objects = ", ".join(f"{name} {rights[name].mean():.0%}" for name in OBJECTS)
    return [(f"the judge itself, on {len(held_out)} held-out renders", f"{moods}, {objects}")]


def measure_speed(painter: Painter) -> Rows:
    """Time the picture that everybody draws first."""
    rows: Rows = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        started = time.monotonic()
        painter.pipeline("雪山下的湖，日落", num_inference_steps=40, guidance_scale=4.0)
        rows.append(
            (f"1024 x 1024, 40 steps, {threads} threads", f"{time.monotonic() - started:.1f} s")
        )
    return rows


def main(  # noqa: PLR0917 - typer reads options from the signature
    folder: Annotated[Path, typer.Option(help="exported model")] = MODEL,
    captions: Annotated[int, typer.Option(help="held-out captions per language")] = 500,
    renders: Annotated[int, typer.Option(help="renders for the autoencoder")] = 16,
    steps: Annotated[int, typer.Option(help="sampling steps")] = 20,
    guidance_scale: Annotated[float, typer.Option(help="guidance")] = 4.0,
    threads: Annotated[int, typer.Option(help="CPU threads")] = 1,
) -> None:
    """Measure the model and print the table."""
    torch.set_num_threads(threads)
    painter = Painter(folder, steps=steps, guidance_scale=guidance_scale)
    table = Table(
        "measure", "value", title=f"{folder.name}, {steps} steps, guidance {guidance_scale}"
    )
    samples, held_out = draw_samples(painter, captions), encode_held_out(400)
    rows = [
        *measure_autoencoder(painter, renders),
        *measure_colors(painter),
        *measure_languages(painter),
        *measure_seeds(painter),
        *measure_judge(held_out),
        *grade_obedience(samples),
        *grade_sharpness(painter, samples),
        *grade_novelty(samples, held_out),
        *measure_speed(painter),
    ]
    for name, value in rows:
        table.add_row(name, value)
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
