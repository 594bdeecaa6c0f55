"""Muon: momentum whose matrix updates are made orthogonal, so that every direction learns alike.

Source: Jordan et al. 2024, "Muon: An optimizer for hidden layers in neural networks"; the step is
scaled to the size of an Adam step as in Liu et al. 2025, "Muon is scalable for LLM training".
"""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer
from typing_extensions import override

from training.precision import fast_dtype

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


@torch.no_grad()
def orthogonalize(matrix: Tensor, steps: int = 5) -> Tensor:
    """Return the nearest half-orthogonal matrix, roughly, by Newton-Schulz steps."""
    a, b, c = COEFFICIENTS
    wide = matrix.to(fast_dtype(matrix.device))
    is_tall = wide.shape[0] > wide.shape[1]
    if is_tall:
        wide = wide.T
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(steps):
        gram = wide @ wide.T
        wide = torch.addmm(wide, b * gram + c * (gram @ gram), wide, beta=a)
    return (wide.T if is_tall else wide).float()


class Muon(Optimizer):
    """Muon for weights with two or more dimensions; convolutions are flattened to matrices."""

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @override
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Make one step."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self.update(weight, weight.grad, group)

    def update(self, weight: Tensor, grad: Tensor, group: dict[str, float]) -> None:
        """Update one weight in place."""
        state = self.state[weight]
        if not state:
            state["momentum"] = torch.zeros_like(grad)
        momentum = state["momentum"]
        momentum.lerp_(grad, 1 - group["momentum"])
        nesterov = grad.lerp(momentum, group["momentum"])
        matrix = nesterov.reshape(len(weight), -1)
        direction = orthogonalize(matrix) * (0.2 * max(matrix.shape) ** 0.5)
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        weight.add_(direction.reshape(weight.shape), alpha=-group["lr"])
