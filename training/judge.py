"""Judge stage: a small classifier that tells what a picture shows, to grade the model.

`python -m training.judge` trains it on cached latents of renders; it never sees a caption and takes
no part in training the model.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name the field uses
from tqdm import tqdm

from training.batches import read_shards
from training.latents import SHARD
from training.places import CACHE, LATENT_CHANNELS, LATENTS
from training.world import (
    KINDS,
    OBJECTS,
    SEASONS,
    STYLES,
    TIMES,
    WEATHERS,
    Scene,
    sample_scene,
)

JUDGE_FILE = CACHE / "judge.pt"
ABSENT_PRESENT = ("absent", "present")
QUESTIONS: dict[str, tuple[str, ...]] = {
    "kind": KINDS,
    "time": TIMES,
    "season": SEASONS,
    "weather": WEATHERS,
    "style": STYLES,
} | dict.fromkeys(OBJECTS, ABSENT_PRESENT)
MOODS = ("kind", "time", "season", "weather", "style")


class Judge(nn.Module):
    """Four convolutions over the latent grid and one answer per question."""

    def __init__(self) -> None:
        super().__init__()
        widths = (LATENT_CHANNELS, 48, 64, 96)
        self.body = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(a, b, 3, 1 + (a != LATENT_CHANNELS), 1), nn.SiLU())
                for a, b in pairwise(widths)
            )
        )
        self.heads = nn.ModuleDict(
            {name: nn.Linear(96 * 16, len(answers)) for name, answers in QUESTIONS.items()}
        )

    def forward(self, latents: Tensor) -> dict[str, Tensor]:
        """Return logits per question, each (batch, number of answers)."""
        features = self.body(latents)
        features = F.adaptive_avg_pool2d(features, 4).flatten(1)
        return {name: head(features) for name, head in self.heads.items()}


def answer(scene: Scene) -> dict[str, int]:
    """Return the true answers for a scene: the choice's index, for an object 0 or 1."""
    moods = {name: QUESTIONS[name].index(getattr(scene, name)) for name in MOODS}
    return moods | {name: int(name in scene.objects) for name in OBJECTS}


def draw(count: int, seed: int) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Yield random batches of square renders with their answers."""
    shards = read_shards(LATENTS)[16, 16]
    rng = np.random.default_rng(seed)
    while True:
        picks = [
            (shards[rng.integers(len(shards))], int(rng.integers(SHARD))) for _ in range(count)
        ]
        latents = np.stack([shard[index] for (_, shard), index in picks]).astype(np.float32)
        scenes = [answer(sample_scene(first + index)) for (first, _), index in picks]
        answers = {name: torch.tensor([scene[name] for scene in scenes]) for name in QUESTIONS}
        yield torch.from_numpy(latents), answers


def load_judge() -> Judge:
    """Load the trained judge."""
    judge = Judge()
    judge.load_state_dict(torch.load(JUDGE_FILE, weights_only=True))
    return judge.eval()


def main(
    steps: Annotated[int, typer.Option(help="training steps")] = 1500,
    threads: Annotated[int, typer.Option(help="CPU threads")] = 1,
) -> None:
    """Train the judge; noise on the latents keeps it from looking at details only."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    judge = Judge()
    optimizer = torch.optim.AdamW(judge.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    batches = draw(64, seed=1)
    with tqdm(range(steps), mininterval=10) as bar:
        for _ in bar:
            latents, answers = next(batches)
            noisy = latents + 0.25 * torch.rand(64, 1, 1, 1) * torch.randn_like(latents)
            said = judge(noisy)
            losses = [F.cross_entropy(said[name], answers[name]) for name in QUESTIONS]
            loss = torch.stack(losses).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            bar.set_postfix(loss=f"{loss.item():.3f}")
    torch.save(judge.state_dict(), JUDGE_FILE)


if __name__ == "__main__":
    typer.run(main)
