"""Noise levels: two neighbouring steps of a path tell where it leads, for every scheduler."""

from collections.abc import Iterator

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    PNDMScheduler,
    UniPCMultistepScheduler,
)

from gen_video.engines.diffusers_previews import _destination
from gen_video.engines.noise import noise_levels
from tests.engines.pipelines.families import Pipeline

pytestmark = pytest.mark.engine

STEPS = 10
SCHEDULERS = [
    DDIMScheduler(clip_sample=False),
    PNDMScheduler(skip_prk_steps=True, set_alpha_to_one=True),
    DPMSolverMultistepScheduler(),
    DPMSolverMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True),
    EulerDiscreteScheduler(),
    FlowMatchEulerDiscreteScheduler(),
    FlowMatchEulerDiscreteScheduler(shift=3.0),
    UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True),
]


@pytest.mark.parametrize("scheduler", SCHEDULERS, ids=lambda made: type(made).__name__)
def test_where_a_path_leads_is_known_long_before_its_end(scheduler: Pipeline) -> None:
    """A model that always names the same noise walks straight to the same clean latents."""
    generator = torch.Generator().manual_seed(1)
    clean, noise = (torch.randn(1, 4, 8, 8, generator=generator) for _ in range(2))

    found = list(_walk(scheduler, clean, noise))

    assert len(found) >= STEPS
    if isinstance(scheduler, PNDMScheduler):
        del found[1]  # it takes its first step twice
    assert max(float((seen - clean).abs().max()) for seen in found) < 0.02


def test_a_scheduler_that_tells_nothing_is_no_failure() -> None:
    assert noise_levels(object(), 5) is None


def _walk(scheduler: Pipeline, clean: torch.Tensor, noise: torch.Tensor) -> Iterator[torch.Tensor]:
    scheduler.set_timesteps(STEPS)
    is_flow = "Flow" in type(scheduler).__name__ or scheduler.config.get("use_flow_sigmas", False)
    first = scheduler.timesteps[:1]
    if hasattr(scheduler, "scale_noise"):
        latents = scheduler.scale_noise(clean, first, noise)
    else:
        latents = scheduler.add_noise(clean, noise, first)
    for timestep in scheduler.timesteps:
        before = latents
        answer = noise - clean if is_flow else noise
        latents = scheduler.step(answer, timestep, latents, return_dict=False)[0]
        yield _destination(before, latents, noise_levels(scheduler, timestep))
