"""Hints: advice that goes with an accepted request; it changes nothing about the job.

A model of a small world draws something for every prompt. Whoever asks it for what it has never
seen should hear so, and which model to ask instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gen_video.engines.catalogue import Catalogue, ModelSpec

SETTING = "GEN_VIDEO_ENABLED_MODELS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Advice with a stable code, in both languages; `models` are the ids that it names."""

    code: str
    en: str
    zh: str
    models: tuple[str, ...] = ()


def find_hints(prompt: str, *, model: str, catalogue: Catalogue) -> tuple[Hint, ...]:
    """Return the advice for a prompt and a model on offer; mostly none."""
    world, spec = catalogue.find_world(model), catalogue.find(model)
    if world is None or spec is None or not world.is_far(prompt):
        return ()
    return (_outside_world(spec, catalogue),)


def find_all_hints(prompts: Sequence[str], *, model: str, catalogue: Catalogue) -> tuple[Hint, ...]:
    """Return the advice for several prompts, each piece once."""
    found = [find_hints(prompt, model=model, catalogue=catalogue) for prompt in prompts]
    return tuple(dict.fromkeys(hint for hints in found for hint in hints))


def _outside_world(spec: ModelSpec, catalogue: Catalogue) -> Hint:
    model, knows_en, knows_zh = spec.id, spec.knows_en, spec.knows_zh
    models = tuple(catalogue.list_suggestions(for_videos=spec.makes_videos))
    listed_en, listed_zh = ", ".join(models), "、".join(models)
    is_on_offer = any(catalogue.find(name) is not None for name in models)
    if not models:
        advice_en, advice_zh = "", ""
    elif is_on_offer:
        advice_en = f' Choose another with "model": {listed_en}.'
        advice_zh = f"可通过 model 参数改用：{listed_zh}。"
    else:
        advice_en = f" The operator can offer a larger model, such as {listed_en} ({SETTING})."
        advice_zh = f"管理员可启用更大的模型，如 {listed_zh}（{SETTING}）。"
    return Hint(
        code="prompt_outside_model_world",
        en=f"{model} has not learned most of what this prompt names. {knows_en}{advice_en}",
        zh=f"{model} 没有学过这段提示词中的大部分内容。{knows_zh}{advice_zh}",
        models=models,
    )
