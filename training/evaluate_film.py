"""Evaluate the film model: does it show what was asked for, and does it move as its world does?

`python -m training.evaluate_film` loads `models/mini-video` as a user would. Held-out seeds only.
"""

import time
from collections import defaultdict
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from training.codec import load_codec
from training.export_film import FILM_MODEL
from training.grades import LANGUAGES
from training.judge import answer, load_judge
from training.painter import Painter
from training.places import CODEC_FILE, HELD_OUT_SEED, LATENT_CHANNELS
from training.scene import render_clip
from training.timeline import FRAMES, fold, unfold
from training.wishes import Wish, make_wishes
from training.world import OBJECTS

BATCH = 8
PICTURE_SIDE = 256
Rows = list[tuple[str, str]]


def draw_clips(painter: Painter, wishes: list[Wish]) -> torch.Tensor:
    """Draw one folded clip per wish, shape (wishes, components * channels, 16, 16)."""
    parts = [
        painter.draw_latents([wish.caption for wish in wishes[start : start + BATCH]], 1000 + start)
        for start in tqdm(range(0, len(wishes), BATCH), "clips", mininterval=10)
    ]
    return torch.cat(parts).float()


@torch.no_grad()
def grade_obedience(clips: torch.Tensor, wishes: list[Wish]) -> Rows:
    """Let the judge look at the mean picture of every clip."""
    said = load_judge()(clips[:, :LATENT_CHANNELS])
    hits: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for index, wish in enumerate(wishes):
        truth = answer(wish.scene)
        for name in wish.asked:
            group = "objects" if name in OBJECTS else name
            hits[group, wish.language].append(int(said[name][index].argmax()) == truth[name])
    return [
        (
            f"{name} as asked, zh / en",
            " / ".join(f"{np.mean(hits[name, language]):.0%}" for language in LANGUAGES),
        )
        for name in ("kind", "time", "objects")
    ]


def grade_motion(clips: torch.Tensor, count: int) -> Rows:
    """Compare how much the frames of a clip differ with clips of the renderer.

    The unit is the root mean square distance of latents between first and last frame, and for
    smoothness that between neighbours of 24 frames.
    """
    codec = load_codec(CODEC_FILE)
    seeds = range(HELD_OUT_SEED + 9000, HELD_OUT_SEED + 9000 + count)
    true = [
        fold(codec.encode(render_clip(seed, PICTURE_SIDE, PICTURE_SIDE, FRAMES))) for seed in seeds
    ]
    figures = []
    for group in (clips.numpy(), np.stack(true)):
        films = [unfold(clip, 24) for clip in group]
        ends = np.mean([np.sqrt(np.mean((film[-1] - film[0]) ** 2)) for film in films])
        steps = np.mean([np.sqrt(np.mean(np.diff(film, axis=0) ** 2)) for film in films])
        still = np.mean([np.sqrt(np.mean((film[-1] - film[0]) ** 2)) < 0.05 for film in films])  # noqa: PLR2004 - hardly visible
        figures.append((ends, steps, still))
    ours, world = figures
    return [
        ("distance of first and last frame, ours / renders", f"{ours[0]:.2f} / {world[0]:.2f}"),
        ("distance of neighbours, ours / renders", f"{ours[1]:.3f} / {world[1]:.3f}"),
        ("clips that hardly move, ours / renders", f"{ours[2]:.0%} / {world[2]:.0%}"),
    ]


def main(
    folder: Annotated[Path, typer.Option(help="exported model")] = FILM_MODEL,
    captions: Annotated[int, typer.Option(help="held-out captions per language")] = 100,
    steps: Annotated[int, typer.Option(help="sampling steps")] = 20,
    guidance_scale: Annotated[float, typer.Option(help="guidance")] = 4.0,
    threads: Annotated[int, typer.Option(help="CPU threads")] = 1,
) -> None:
    """Measure the model and print the table."""
    torch.set_num_threads(threads)
    painter = Painter(folder, steps=steps, guidance_scale=guidance_scale)
    wishes = [wish for language in LANGUAGES for wish in make_wishes(captions, language)]
    started = time.monotonic()
    clips = draw_clips(painter, wishes)
    seconds = (time.monotonic() - started) / len(wishes)
    rows = [
        *grade_obedience(clips, wishes),
        *grade_motion(clips, 100),
        (f"drawing one clip, {steps} steps, without decoding", f"{seconds:.1f} s"),
    ]
    table = Table("measure", "value", title=f"{folder.name}, {captions} captions per language")
    for name, value in rows:
        table.add_row(name, value)
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
