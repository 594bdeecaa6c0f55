"""Denoiser stage: train text encoder and denoiser together with rectified flow.

`python -m training.denoiser --minutes 90` trains that long in total, over any number of restarts:
the checkpoint remembers the minutes, and the learning rate follows them down to zero. SIGTERM
saves and stops.
"""

import copy
import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor, nn
from tqdm import tqdm

from training.batches import Batch, make_batches
from training.muon import Muon
from training.network import Mini
from training.places import DENOISER_FILE
from training.precision import autocast, choose_device
from training.supply import default_workers, supply
from training.tokenizer import build_tokenizer

SIGMA_MEAN, SIGMA_SPREAD = 0.1, 1.2  # of the logit; above 0 means more noise
WARMUP_STEPS = 150
CONSTANT_SHARE = 0.5  # of the minutes, before the learning rate falls
CHECKPOINT_SECONDS = 300
EMA_DECAY = 0.999


def flow_loss(model: Mini, batch: Batch) -> Tensor:
    """Return the mean squared error of the predicted velocity.

    Source: Esser et al. 2024, "Scaling Rectified Flow Transformers", logit-normal sampling.
    """
    noise = torch.randn_like(batch.latents)
    logits = torch.randn(len(noise), device=noise.device) * SIGMA_SPREAD + SIGMA_MEAN
    sigmas = torch.sigmoid(logits)
    share = sigmas[:, None, None, None]
    noisy = (1 - share) * batch.latents + share * noise
    with autocast(noise.device):
        flow = model(noisy, sigmas, batch.tokens)
    return (flow.float() - (noise - batch.latents)).square().mean()


def learning_share(step: int, progress: float) -> float:
    """Return the part of the full learning rate: warm up, hold, then fall to zero."""
    warm = min(1.0, (step + 1) / WARMUP_STEPS)
    fall = max(0.0, (min(1.0, progress) - CONSTANT_SHARE) / (1 - CONSTANT_SHARE))
    return warm * (0.02 + 0.98 * (1 + math.cos(math.pi * fall)) / 2)


class Trainer:
    """Everything a checkpoint holds."""

    def __init__(
        self,
        path: Path,
        *,
        optimizer: str,
        lr: float,
        device: torch.device,
        start: Path | None = None,
        model: Mini | None = None,
    ) -> None:
        self.path = path
        self.device = device
        self.tokenizer = build_tokenizer()
        torch.manual_seed(0)
        self.model = model or Mini(self.tokenizer)
        if start is not None:
            self.model.load_exported(start)
        self.model.to(device)
        self.average = copy.deepcopy(self.model).requires_grad_(requires_grad=False)
        self.optimizers = build_optimizers(self.model, optimizer, lr)
        self.step, self.samples, self.seconds = 0, 0, 0.0
        if path.exists():
            self.load()

    def load(self) -> None:
        """Continue from the checkpoint."""
        state = torch.load(self.path, map_location=self.device, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            rates = [group["base"] for group in optimizer.param_groups]
            optimizer.load_state_dict(saved)
            for group, rate in zip(optimizer.param_groups, rates, strict=True):
                group["base"] = rate
        self.step, self.samples = state["step"], state["samples"]
        self.seconds = state["seconds"]

    def save(self) -> None:
        """Write the checkpoint; a crash never leaves half a file."""
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "samples": self.samples,
            "seconds": self.seconds,
        }
        draft = self.path.with_suffix(".part")
        torch.save(state, draft)
        draft.replace(self.path)

    def learn(self, batch: Batch, progress: float) -> float:
        """Make one optimizer step; return the loss."""
        share = learning_share(self.step, progress)
        loss = flow_loss(self.model, batch.to(self.device))
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["base"] * share
            optimizer.step()
            optimizer.zero_grad()
        self.step += 1
        self.samples += len(batch.latents)
        self.blend()
        return loss.item()

    @torch.no_grad()
    def blend(self) -> None:
        """Move the averaged weights towards the trained ones."""
        decay = min(EMA_DECAY, (1 + self.step) / (10 + self.step))
        averaged = list(self.average.parameters())
        torch._foreach_lerp_(averaged, list(self.model.parameters()), 1 - decay)


def build_optimizers(model: Mini, name: str, lr: float) -> list[torch.optim.Optimizer]:
    """Build Muon for the matrices of the denoiser and AdamW for everything else."""
    matrices, others = [], []
    for key, weight in model.named_parameters():
        is_edge = any(part in key for part in ("conv_in", "conv_out", "embeddings"))
        is_matrix = weight.ndim > 1 and not is_edge
        (matrices if is_matrix and name == "muon" else others).append(weight)
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(others, lr=lr, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    ]
    if matrices:
        optimizers.append(Muon(matrices, lr=lr))
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["base"] = lr
    return optimizers


def main(  # noqa: PLR0917 - typer reads options from the signature
    minutes: Annotated[float, typer.Option(help="training time in total, restarts included")],
    batch_size: Annotated[int, typer.Option(help="square pictures per step")] = 32,
    lr: Annotated[float, typer.Option(help="full learning rate")] = 2e-3,
    optimizer: Annotated[str, typer.Option(help="muon or adam")] = "muon",
    threads: Annotated[int, typer.Option(help="CPU threads")] = 1,
    checkpoint: Annotated[Path, typer.Option(help="where the weights are kept")] = DENOISER_FILE,
    start: Annotated[Path | None, typer.Option(help="exported folder to start from")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda")] = "auto",
    workers: Annotated[int, typer.Option(help="processes that make batches; -1: as fits")] = -1,
) -> None:
    """Train until the minutes are used up."""
    torch.set_num_threads(threads)
    place = choose_device(device)
    trainer = Trainer(checkpoint, optimizer=optimizer, lr=lr, device=place, start=start)
    batches = supply(
        partial(make_batches, batch_size),
        seed=trainer.step + os.getpid(),
        workers=default_workers(place.type) if workers < 0 else workers,
    )
    train(trainer, batches, minutes)


def train(trainer: Trainer, batches: Iterator[Batch], minutes: float) -> None:
    """Train until the minutes are used up or SIGTERM comes, and save."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    mean, saved_at, budget = 1.0, time.monotonic(), minutes * 60
    with tqdm(total=round(budget), initial=round(trainer.seconds), mininterval=20) as bar:
        while trainer.seconds < budget and not stopping.is_set():
            started = time.monotonic()
            loss = trainer.learn(next(batches), trainer.seconds / budget)
            mean += 0.01 * (loss - mean)
            spent = time.monotonic() - started
            trainer.seconds += spent
            bar.update(round(trainer.seconds) - bar.n)
            bar.set_postfix(loss=f"{mean:.4f}", step=trainer.step, samples=trainer.samples)
            if time.monotonic() - saved_at > CHECKPOINT_SECONDS:
                trainer.save()
                saved_at = time.monotonic()
    trainer.save()


if __name__ == "__main__":
    typer.run(main)
