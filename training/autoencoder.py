"""Autoencoder stage: train the stock decoder to draw pictures from the codec's latents.

`python -m training.autoencoder --minutes 40` trains at 256 pixels; with `--deep` it then trains the
up-blocks that reach 1024, the rest frozen. `--critic 0.5` lets a critic judge along, for sharp
shapes. Checkpoints every two minutes; a restart continues.
"""

import copy
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name the field uses
from tqdm import tqdm

from training.codec import CODEC_PATCH, load_codec
from training.critic import Contest
from training.denoiser import learning_share
from training.muon import Muon
from training.places import AUTOENCODER_FILE, BUCKETS, CACHE, CODEC_FILE
from training.precision import autocast, choose_device
from training.scene import render
from training.supply import default_workers, supply
from training.vae import DEEP, SHALLOW, build_vae, grow, interpolate
from training.world import seeded

DEEP_FILE = CACHE / "autoencoder-deep.pt"
CHECKPOINT_SECONDS = 120
EMA_DECAY = 0.995
MOST_NOISE = 0.15  # of the latents while training, so that the decoder forgives the denoiser


def draw_batches(batch_size: int, scale: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield latents and the pictures they stand for, pictures enlarged `scale` times."""
    rng, codec = seeded(seed), load_codec(CODEC_FILE)
    while True:
        columns, rows = rng.choices(list(BUCKETS), list(BUCKETS.values()))[0]
        width, height = columns * CODEC_PATCH, rows * CODEC_PATCH
        seeds = [rng.randrange(5_000_000) for _ in range(batch_size)]
        small = np.stack([render(seed, width, height) for seed in seeds])
        large = small
        if scale > 1:
            large = np.stack([render(seed, width * scale, height * scale) for seed in seeds])
        pictures = torch.from_numpy(large.astype(np.float32) / 127.5 - 1).permute(0, 3, 1, 2)
        yield torch.from_numpy(codec.encode(small)), pictures


def picture_loss(drawn: Tensor, wanted: Tensor) -> Tensor:
    """Compare pictures by pixels, edges and mean colours."""
    difference = drawn - wanted
    loss = difference.abs().mean() + 0.5 * difference.square().mean()
    for axis in (2, 3):
        loss = loss + 0.25 * difference.diff(dim=axis).abs().mean()
    return loss + 0.5 * F.avg_pool2d(difference, 4).abs().mean()


class Trainer:
    """The decoder, its average, and what a checkpoint needs."""

    def __init__(
        self,
        path: Path,
        vae: AutoencoderKL,
        lr: float,
        device: torch.device,
        critic: float = 0.0,
    ) -> None:
        self.path = path
        self.contest = Contest(critic, device) if critic else None
        self.device = device
        self.decoder = vae.decoder.to(device, memory_format=torch.channels_last)
        self.average = copy.deepcopy(self.decoder).requires_grad_(requires_grad=False)
        self.optimizers = build_optimizers(self.decoder, lr)
        self.step, self.seconds = 0, 0.0
        if path.exists():
            self.load()

    def load(self) -> None:
        """Continue from the checkpoint."""
        state = torch.load(self.path, map_location=self.device, weights_only=True)
        self.decoder.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.step, self.seconds = state["step"], state["seconds"]
        if self.contest is not None and "contest" in state:
            self.contest.load(state["contest"])

    def save(self) -> None:
        """Write the checkpoint."""
        state = {
            "model": self.decoder.state_dict(),
            "average": self.average.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "step": self.step,
            "seconds": self.seconds,
        }
        if self.contest is not None:
            state["contest"] = self.contest.state()
        draft = self.path.with_suffix(".part")
        torch.save(state, draft)
        draft.replace(self.path)

    def learn(self, latents: Tensor, wanted: Tensor, progress: float) -> float:
        """Make one step; return the mean squared error from 0 to 1."""
        latents, wanted = latents.to(self.device), wanted.to(self.device)
        amount = torch.rand(len(latents), 1, 1, 1, device=self.device) * MOST_NOISE
        noise = amount * torch.randn_like(latents)
        share = learning_share(self.step * 5, progress)  # few, expensive steps
        noisy = (latents + noise).contiguous(memory_format=torch.channels_last)
        with autocast(self.device):
            drawn = self.decoder(noisy).float()
        loss = picture_loss(drawn, wanted)
        if self.contest is not None:
            loss = loss + self.contest.persuade(drawn, loss, self.decoder.conv_out.weight)
        loss.backward()
        nn.utils.clip_grad_norm_(self.decoder.parameters(), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["base"] * share
            optimizer.step()
            optimizer.zero_grad()
        self.step += 1
        if self.contest is not None:
            self.contest.learn(drawn, wanted)
        decay = min(EMA_DECAY, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, weight in zip(
                self.average.parameters(), self.decoder.parameters(), strict=True
            ):
                mean.lerp_(weight, 1 - decay)
        return (drawn.detach() - wanted).square().mean().item() / 4


def build_optimizers(decoder: nn.Module, lr: float) -> list[torch.optim.Optimizer]:
    """Build Muon for the inner convolutions and AdamW for the rest."""
    matrices, others = [], []
    for name, weight in decoder.named_parameters():
        if not weight.requires_grad:
            continue
        is_matrix = weight.ndim > 1 and not name.startswith(("conv_in", "conv_out"))
        (matrices if is_matrix else others).append(weight)
    optimizers: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(others, lr=lr, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
        Muon(matrices, lr=lr, weight_decay=0.0),
    ]
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["base"] = lr
    return optimizers


def prepare(
    *, deep: bool, lr: float, device: torch.device, start: Path | None, critic: float
) -> Trainer:
    """Build the trainer of this stage, starting the deep one from the shallow one."""
    torch.manual_seed(0)
    if not deep:
        return Trainer(AUTOENCODER_FILE, build_vae(SHALLOW), lr, device, critic)
    vae = build_vae(DEEP)
    if start is not None:
        exported = AutoencoderKL.from_pretrained(start / "vae")
        vae.decoder.load_state_dict(exported.decoder.float().state_dict())
        return Trainer(DEEP_FILE, vae, lr, device, critic)
    small = build_vae(SHALLOW)
    state = torch.load(AUTOENCODER_FILE, map_location="cpu", weights_only=True)
    small.decoder.load_state_dict(state["average"])
    grow(small.decoder, vae.decoder)
    interpolate(vae.decoder)
    return Trainer(DEEP_FILE, vae, lr, device, critic)


def main(  # noqa: PLR0917 - typer reads options from the signature
    minutes: Annotated[float, typer.Option(help="training time in total, restarts included")],
    deep: Annotated[bool, typer.Option(help="train the 1024 pixel decoder")] = False,  # noqa: FBT002
    batch_size: Annotated[int, typer.Option(help="pictures per step")] = 8,
    lr: Annotated[float, typer.Option(help="full learning rate")] = 2e-3,
    threads: Annotated[int, typer.Option(help="CPU threads")] = 1,
    start: Annotated[
        Path | None, typer.Option(help="exported folder the deep stage starts from")
    ] = None,
    critic: Annotated[float, typer.Option(help="weight of a critic, 0 for none")] = 0.0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda")] = "auto",
    workers: Annotated[int, typer.Option(help="processes that draw; -1: as fits")] = -1,
) -> None:
    """Train the decoder until the minutes are used up."""
    torch.set_num_threads(threads)
    place = choose_device(device)
    trainer = prepare(deep=deep, lr=lr, device=place, start=start, critic=critic)
    batches = supply(
        partial(draw_batches, batch_size, 4 if deep else 1),
        seed=trainer.step,
        workers=default_workers(place.type) if workers < 0 else workers,
    )
    error, saved_at, budget = 0.05, time.monotonic(), minutes * 60
    with tqdm(total=round(budget), initial=round(trainer.seconds), mininterval=20) as bar:
        while trainer.seconds < budget:
            started = time.monotonic()
            latents, wanted = next(batches)
            mse = trainer.learn(latents, wanted, trainer.seconds / budget)
            error += 0.02 * (mse - error)
            trainer.seconds += time.monotonic() - started
            bar.update(round(trainer.seconds) - bar.n)
            bar.set_postfix(psnr=f"{-10 * np.log10(error):.2f}", step=trainer.step)
            if time.monotonic() - saved_at > CHECKPOINT_SECONDS:
                trainer.save()
                saved_at = time.monotonic()
    trainer.save()


if __name__ == "__main__":
    typer.run(main)
