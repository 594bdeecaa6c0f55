"""Clips stage: render clips and cache their folded latents.

`python -m training.clips` writes one shard per bucket and hundred seeds and keeps what exists.
"""

from typing import Annotated

import numpy as np
import typer
from tqdm import tqdm

from training.codec import CODEC_PATCH, Codec, load_codec
from training.places import CACHE, CODEC_FILE
from training.scene import render_clip
from training.timeline import FRAMES, fold

CLIPS = CACHE / "clips"
SHARD = 100
BUCKETS: dict[tuple[int, int], float] = {(16, 9): 0.5, (16, 16): 0.5}
"""Width and height in latent cells, and how often a batch has that shape."""


def make_shard(codec: Codec, bucket: tuple[int, int], first_seed: int) -> np.ndarray:
    """Render and fold one shard; float16 of shape (100, components * channels, rows, columns)."""
    width, height = bucket[0] * CODEC_PATCH, bucket[1] * CODEC_PATCH
    clips = [
        fold(codec.encode(render_clip(seed, width, height, FRAMES)))
        for seed in range(first_seed, first_seed + SHARD)
    ]
    return np.stack(clips).astype(np.float16)


def list_shards(clips: int) -> list[tuple[tuple[int, int], int]]:
    """List bucket and first seed of every shard, buckets in turn; no seed is used twice."""
    names = list(BUCKETS)
    return [
        (names[index % len(names)], index * SHARD)
        for index in range(max(len(names), clips // SHARD))
    ]


def main(
    clips: Annotated[int, typer.Option(help="how many clips to render")] = 12_000,
    part: Annotated[int, typer.Option(help="which of the parts this process makes")] = 0,
    parts: Annotated[int, typer.Option(help="how many processes share the work")] = 1,
) -> None:
    """Render clips and cache their latents."""
    CLIPS.mkdir(parents=True, exist_ok=True)
    codec = load_codec(CODEC_FILE)
    for (columns, rows), seed in tqdm(list_shards(clips)[part::parts], "clips", mininterval=10):
        path = CLIPS / f"{columns}x{rows}-{seed:08d}.npy"
        if not path.exists():
            np.save(path, make_shard(codec, (columns, rows), seed))


if __name__ == "__main__":
    typer.run(main)
