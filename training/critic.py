"""Critic: tells drawn pictures from true ones by patches, so that the decoder draws whole shapes.

Pixels alone reward a blur wherever a small thing might stand; a critic does not accept it.
Source of the loss and of the balance: Esser et al. 2021, "Taming Transformers", section 3.1.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name the field uses
from torch.nn.utils.parametrizations import spectral_norm

WIDTHS = (32, 64, 96)
PATIENT_STEPS = 60  # the critic learns alone at first
LEARNING_RATE = 1e-3
MOST_WEIGHT = 1.0


class Critic(nn.Module):
    """Strided convolutions; one verdict for every 16 x 16 pixels, each looking at 76 x 76."""

    def __init__(self) -> None:
        super().__init__()
        first = spectral_norm(nn.Conv2d(3, WIDTHS[0], 6, 4, 1))
        others = [spectral_norm(nn.Conv2d(a, b, 4, 2, 1)) for a, b in pairwise(WIDTHS)]
        last = spectral_norm(nn.Conv2d(WIDTHS[-1], 1, 3, 1, 1))
        self.layers = nn.ModuleList([first, *others, last])

    def forward(self, pictures: Tensor) -> Tensor:
        """Return verdicts, higher for a true picture, shape (batch, 1, rows, columns)."""
        features = pictures
        for layer in self.layers[:-1]:
            features = F.leaky_relu(layer(features), 0.2)
        verdicts: Tensor = self.layers[-1](features)
        return verdicts


class Contest:
    """The critic, its optimizer, and the weight of its word.

    Args:
        strength: Its gradient on the decoder's last layer, as a share of that of the pixels.
    """

    def __init__(self, strength: float, device: torch.device) -> None:
        self.strength = strength
        self.critic = Critic().to(device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.AdamW(
            self.critic.parameters(), lr=LEARNING_RATE, betas=(0.5, 0.9), weight_decay=0.0
        )
        self.step = 0

    def persuade(self, drawn: Tensor, picture_loss: Tensor, last_weight: Tensor) -> Tensor:
        """Return the loss of a decoder whose picture does not persuade, in balance with pixels."""
        if self.step < PATIENT_STEPS:
            return torch.zeros((), device=drawn.device)
        self.critic.requires_grad_(requires_grad=False)
        unconvinced = -self.critic(drawn).mean()
        self.critic.requires_grad_(requires_grad=True)
        pull = [
            torch.autograd.grad(loss, last_weight, retain_graph=True)[0].norm()
            for loss in (picture_loss, unconvinced)
        ]
        weight = self.strength * pull[0] / (pull[1] + 1e-6)
        return weight.clamp(max=MOST_WEIGHT).detach() * unconvinced

    def learn(self, drawn: Tensor, wanted: Tensor) -> float:
        """Make one step with the hinge loss; return it, 2 when the critic knows nothing."""
        loss = (
            F.relu(1 - self.critic(wanted)).mean() + F.relu(1 + self.critic(drawn.detach())).mean()
        )
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.step += 1
        return loss.item()

    def state(self) -> dict[str, object]:
        """Return what a checkpoint needs."""
        return {
            "critic": self.critic.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
        }

    def load(self, state: dict[str, object]) -> None:
        """Continue from a checkpoint."""
        self.critic.load_state_dict(state["critic"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = int(str(state["step"]))
