"""Noise levels: how much signal and how much noise latents hold around one step of a scheduler.

Latents are signal x clean + noise x Gaussian; schedulers differ in what they call these and in
where they keep them.
"""

from typing import Any, TypeAlias

Level: TypeAlias = tuple[float, float]
"""Signal and noise."""


def noise_levels(scheduler: Any, timestep: object) -> tuple[Level, Level] | None:  # noqa: ANN401 - schedulers share no typed base
    """Return the levels before and after the step that a scheduler has just made.

    Args:
        scheduler: Of a running pipeline.
        timestep: Of that step.

    Returns:
        None for a scheduler that tells neither.
    """
    sigmas, index = getattr(scheduler, "sigmas", None), getattr(scheduler, "step_index", None)
    if sigmas is not None and index:
        return tuple(  # type: ignore[return-value]  # of two
            _level_of_sigma(scheduler, sigmas[min(at, len(sigmas) - 1)])
            for at in (index - 1, index)
        )
    alphas = getattr(scheduler, "alphas_cumprod", None)
    if alphas is None or timestep is None:
        return None
    now = int(timestep)  # type: ignore[call-overload]  # a number or a tensor of one
    return _level_of_alpha(float(alphas[now])), _level_of_alpha(_next_alpha(scheduler, now))


def _level_of_sigma(scheduler: Any, sigma: Any) -> Level:  # noqa: ANN401 - as above
    if hasattr(scheduler, "_sigma_to_alpha_sigma_t"):
        signal, noise = scheduler._sigma_to_alpha_sigma_t(sigma)  # noqa: SLF001 - they offer no other
        return float(signal), float(noise)
    is_flow = "FlowMatch" in type(scheduler).__name__
    return (1 - float(sigma) if is_flow else 1.0), float(sigma)


def _level_of_alpha(alpha: float) -> Level:
    return alpha**0.5, (1 - alpha) ** 0.5


def _next_alpha(scheduler: Any, timestep: int) -> float:  # noqa: ANN401 - as above
    """Return the share of signal, squared, at the next timestep; 1 after the last one."""
    later = [int(value) for value in scheduler.timesteps if int(value) < timestep]
    return float(scheduler.alphas_cumprod[later[0]]) if later else 1.0
