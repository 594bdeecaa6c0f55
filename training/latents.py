"""Latents stage: fit the codec, then render pictures and cache their latents.

`python -m training.latents` writes one shard per bucket and thousand seeds and keeps what exists.
"""

from typing import Annotated

import numpy as np
import typer
from tqdm import tqdm

from training.codec import CODEC_PATCH, Codec, fit_codec, load_codec
from training.places import BUCKETS, CODEC_FILE, HELD_OUT_SEED, LATENTS
from training.scene import render

SHARD = 1000
Bucket = tuple[int, int]


def prepare_codec(pictures: int) -> Codec:
    """Load the codec, or fit it on pictures of all buckets."""
    if CODEC_FILE.exists():
        return load_codec(CODEC_FILE)
    side = 16 * CODEC_PATCH
    seeds = range(HELD_OUT_SEED // 2, HELD_OUT_SEED // 2 + pictures)
    codec = fit_codec(np.stack([render(seed, side, side) for seed in tqdm(seeds, "codec")]))
    codec.save(CODEC_FILE)
    return codec


def make_shard(codec: Codec, bucket: Bucket, first_seed: int) -> np.ndarray:
    """Render and encode one shard; float16 of shape (1000, channels, rows, columns)."""
    width, height = bucket[0] * CODEC_PATCH, bucket[1] * CODEC_PATCH
    parts = []
    for start in range(first_seed, first_seed + SHARD, 50):
        pictures = np.stack([render(seed, width, height) for seed in range(start, start + 50)])
        parts.append(codec.encode(pictures).astype(np.float16))
    return np.concatenate(parts)


def list_shards(pictures: int) -> list[tuple[Bucket, int]]:
    """List bucket and first seed of every shard; no seed is used twice."""
    plan, next_seed = [], 0
    for bucket, share in BUCKETS.items():
        count = max(1, round(pictures * share / SHARD))
        for _ in range(count):
            plan.append((bucket, next_seed))
            next_seed += SHARD
    return sorted(plan, key=lambda item: item[1] % 7)


def main(
    pictures: Annotated[int, typer.Option(help="how many pictures to render")] = 48_000,
    part: Annotated[int, typer.Option(help="which of the parts this process makes")] = 0,
    parts: Annotated[int, typer.Option(help="how many processes share the work")] = 1,
) -> None:
    """Render pictures and cache their latents."""
    LATENTS.mkdir(parents=True, exist_ok=True)
    codec = prepare_codec(1500)
    for (columns, rows), seed in tqdm(list_shards(pictures)[part::parts], "latents"):
        path = LATENTS / f"{columns}x{rows}-{seed:08d}.npy"
        if not path.exists():
            np.save(path, make_shard(codec, (columns, rows), seed))


if __name__ == "__main__":
    typer.run(main)
