"""Grades: what a judge, a ruler and the training pictures themselves say about drawn samples.

One set of samples serves all: the captions of the held-out scenes in both languages.
"""

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from training.batches import read_shards
from training.judge import MOODS, answer, load_judge
from training.painter import Painter, Picture
from training.places import LATENTS
from training.scene import render
from training.wishes import FIRST_SEED, Wish, make_wishes
from training.world import OBJECTS

Rows = list[tuple[str, str]]
LANGUAGES = ("zh", "en")
BATCH = 8
SHARP_PICTURES = 64
CLOSE_PERCENTILE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Wishes and the latents drawn for them, shape (wishes, channels, rows, columns)."""

    wishes: list[Wish]
    latents: Tensor


def draw_samples(painter: Painter, count: int) -> Samples:
    """Draw one picture per held-out caption and language; no seed is used twice."""
    wishes = [wish for language in LANGUAGES for wish in make_wishes(count, language)]
    parts = [
        painter.draw_latents([wish.caption for wish in wishes[start : start + BATCH]], 1000 + start)
        for start in tqdm(range(0, len(wishes), BATCH), "samples")
    ]
    return Samples(wishes=wishes, latents=torch.cat(parts).float())


@torch.no_grad()
def grade_obedience(samples: Samples) -> Rows:
    """Let the judge say how often pictures show what their captions ask for."""
    said = load_judge()(samples.latents)
    hits: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for index, wish in enumerate(samples.wishes):
        truth = answer(wish.scene)
        for name in wish.asked:
            is_right = int(said[name][index].argmax()) == truth[name]
            hits[name, wish.language].append(is_right)
            if name in OBJECTS:
                hits["all objects", wish.language].append(is_right)
    return [
        (
            f"{name} as asked, zh / en ({len(hits[name, 'zh'])} / {len(hits[name, 'en'])} wishes)",
            " / ".join(f"{np.mean(hits[name, language]):.1%}" for language in LANGUAGES),
        )
        for name in (*MOODS, "all objects", *OBJECTS)
        if hits[name, "zh"] and hits[name, "en"]
    ]


def mean_gradient(picture: Picture) -> float:
    """Return the mean absolute difference between neighbouring pixels, 0 to 1."""
    return float(np.mean([np.abs(np.diff(picture, axis=axis)).mean() for axis in (0, 1)]))


def grade_sharpness(painter: Painter, samples: Samples) -> Rows:
    """Compare the mean gradient of pictures with that of the renders of the same scenes."""
    drawn = [
        mean_gradient(painter.decode(part)) for part in samples.latents[:SHARP_PICTURES].split(1)
    ]
    seeds = range(FIRST_SEED, FIRST_SEED + len(drawn))
    true = [mean_gradient(render(seed, 1024, 1024).astype(np.float32) / 255) for seed in seeds]
    ratio = np.mean(drawn) / np.mean(true)
    return [
        (
            f"mean gradient at 1024 x 1024, {len(drawn)} pictures / renders",
            f"{np.mean(drawn):.4f} / {np.mean(true):.4f} = {ratio:.2f}",
        )
    ]


def grade_novelty(samples: Samples, held_out: Tensor) -> Rows:
    """Look for training pictures among the samples, by distance to the nearest one.

    Held-out renders say what is normal: two different pictures of this world are sometimes close.
    A sample would be a copy if it lay far closer to a training picture than they do.

    Args:
        samples: Square ones.
        held_out: Latents of held-out renders, shape (renders, channels, rows, columns).
    """
    ours = nearest_distances(samples.latents)
    normal = nearest_distances(held_out)
    limit = np.percentile(normal, CLOSE_PERCENTILE) / 2
    copies = int((ours < limit).sum())
    return [
        (
            f"distance to the nearest training picture, least / median of {len(ours)} samples",
            f"{ours.min():.2f} / {np.median(ours):.2f}",
        ),
        (
            f"the same of {len(normal)} held-out renders",
            f"{normal.min():.2f} / {np.median(normal):.2f}",
        ),
        (f"copies of training pictures (nearer than {limit:.2f})", str(copies)),
    ]


def nearest_distances(latents: Tensor) -> np.ndarray:
    """Return the root mean square distance of each to its nearest training picture."""
    flat = latents.flatten(1)
    best = torch.full((len(flat),), float("inf"))
    for _, shard in read_shards(LATENTS)[16, 16]:
        known = torch.from_numpy(np.array(shard, np.float32)).flatten(1)
        best = torch.minimum(best, torch.cdist(flat, known).min(1).values)
    return (best / flat.shape[1] ** 0.5).numpy()
