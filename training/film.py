"""Film stage: train the denoiser of `models/mini-video` from that of `models/mini`.

`python -m training.film --minutes 60` starts from the still model and trains on folded clips (see
`training.timeline`); minutes and checkpoints work as in `training.denoiser`.
"""

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer

from training.batches import Batch, Batches
from training.clips import BUCKETS, CLIPS
from training.denoiser import Trainer, train
from training.network import Mini
from training.places import CACHE, DENOISER_FILE, MODEL
from training.precision import choose_device
from training.supply import default_workers, supply
from training.timeline import CHANNELS
from training.tokenizer import build_tokenizer

FILM_FILE = CACHE / "film.pt"


def make_batches(batch_size: int, seed: int) -> Iterator[Batch]:
    """Yield batches for ever."""
    return iter(Batches(build_tokenizer(), batch_size, seed, CLIPS, BUCKETS))


def load_still(start: Path | None) -> Mini:
    """Return the still model: an exported folder, or the newest checkpoint."""
    still = Mini(build_tokenizer())
    if start is not None or not DENOISER_FILE.exists():
        still.load_exported(start or MODEL)
        return still
    state = torch.load(DENOISER_FILE, map_location="cpu", weights_only=True)
    still.load_state_dict(state["average"])
    return still


def main(  # noqa: PLR0917 - typer reads options from the signature
    minutes: Annotated[float, typer.Option(help="training time in total, restarts included")],
    batch_size: Annotated[int, typer.Option(help="square clips per step")] = 32,
    lr: Annotated[float, typer.Option(help="full learning rate")] = 1.5e-3,
    threads: Annotated[int, typer.Option(help="CPU threads")] = 1,
    start: Annotated[Path | None, typer.Option(help="exported still model")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda")] = "auto",
    workers: Annotated[int, typer.Option(help="processes that make batches; -1: as fits")] = -1,
) -> None:
    """Train until the minutes are used up."""
    torch.set_num_threads(threads)
    place = choose_device(device)
    model = Mini(build_tokenizer(), CHANNELS)
    model.widen(load_still(start))
    trainer = Trainer(FILM_FILE, optimizer="muon", lr=lr, device=place, model=model)
    batches = supply(
        partial(make_batches, batch_size),
        seed=trainer.step + os.getpid(),
        workers=default_workers(place.type) if workers < 0 else workers,
    )
    train(trainer, batches, minutes)


if __name__ == "__main__":
    typer.run(main)
