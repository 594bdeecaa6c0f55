"""Batches: cached latents with a fresh caption at every draw, one bucket per batch."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from training.captions import write_caption
from training.places import BUCKETS, LATENTS
from training.tokenizer import MAX_TOKENS, build_tokenizer, list_fillers
from training.world import happens, sample_scene, seeded

Bucket = tuple[int, int]
FILLER_SHARE = 0.25
FIRST_CHINESE = "\u4e00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Latents (batch, channels, rows, columns) and tokens (batch, MAX_TOKENS)."""

    latents: Tensor
    tokens: Tensor

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device."""
        return Batch(
            latents=self.latents.to(device, non_blocking=True),
            tokens=self.tokens.to(device, non_blocking=True),
        )


class Batches:
    """An endless supply of training batches.

    Args:
        tokenizer: Of the model.
        batch_size: Square pictures per batch; of other shapes it takes more.
        seed: Chooses pictures and captions.
        folder: Where the shards are.
        buckets: How often a batch has which shape.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerFast,
        batch_size: int,
        seed: int,
        folder: Path = LATENTS,
        buckets: Mapping[Bucket, float] = BUCKETS,
    ) -> None:
        self.buckets = buckets
        self.tokenizer = tokenizer
        self.batch_size = batch_size
        self.rng = seeded(seed)
        self.shards = read_shards(folder)
        self.fillers = list_fillers()

    def __iter__(self) -> Iterator[Batch]:
        """Yield batches for ever."""
        names = list(self.shards)
        weights = [self.buckets[name] for name in names]
        while True:
            bucket = self.rng.choices(names, weights)[0]
            yield self.draw(bucket)

    def draw(self, bucket: Bucket) -> Batch:
        """Draw one batch of a bucket."""
        latents, captions = [], []
        size = self.batch_size if bucket == (16, 16) else round(self.batch_size * 1.3)
        for _ in range(size):
            first_seed, shard = self.rng.choice(self.shards[bucket])
            index = self.rng.randrange(len(shard))
            latents.append(shard[index])
            caption = write_caption(sample_scene(first_seed + index), self.rng)
            captions.append(add_fillers(caption, self.fillers, self.rng))
        stacked = torch.from_numpy(np.stack(latents).astype(np.float32))
        return Batch(latents=stacked, tokens=tokenize(self.tokenizer, captions))


def make_batches(batch_size: int, seed: int) -> Iterator[Batch]:
    """Yield batches for ever; every process that makes them reads the shards for itself."""
    return iter(Batches(build_tokenizer(), batch_size, seed))


def tokenize(tokenizer: PreTrainedTokenizerFast, captions: list[str]) -> Tensor:
    """Return padded token ids, shape (len(captions), MAX_TOKENS)."""
    rows = tokenizer(
        captions, padding="max_length", truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
    )
    return torch.as_tensor(rows.input_ids)


def read_shards(folder: Path) -> dict[Bucket, list[tuple[int, np.ndarray]]]:
    """Map every shard into memory, by bucket, with the seed of its first picture."""
    shards: dict[Bucket, list[tuple[int, np.ndarray]]] = {}
    for path in sorted(folder.glob("*.npy")):
        size, seed = path.stem.split("-")
        columns, rows = (int(part) for part in size.split("x"))
        shards.setdefault((columns, rows), []).append((int(seed), np.load(path, mmap_mode="r")))
    if not shards:
        raise FileNotFoundError(f"no latents in {folder}: run `python -m training.latents` first")
    return shards


def add_fillers(caption: str, fillers: tuple[list[str], list[str]], rng: random.Random) -> str:
    """Put words without a picture into some captions, so that prompts may contain any word."""
    if not caption or not happens(rng, FILLER_SHARE):
        return caption
    is_chinese = caption[0] >= FIRST_CHINESE or caption[-1] >= FIRST_CHINESE
    english, chinese = fillers
    words = rng.choices(chinese if is_chinese else english, k=rng.randint(1, 3))
    glue = "" if is_chinese else " "
    if happens(rng, 0.5):
        return glue.join((caption, *words))
    return glue.join((*words, caption))
