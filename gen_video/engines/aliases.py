"""Aliases: names of models elsewhere, and which model on offer answers to them.

Scripts written for a hosted service name its models. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gen_video.engines.catalogue import Catalogue, CatalogueError, TaskKind, UnknownModelError

SETTING = "GEN_VIDEO_MODEL_ALIASES"
HOSTED_PICTURES = ("gpt-image*", "chatgpt-image*", "dall-e*")
HOSTED_VIDEOS = ("sora*",)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenModel:
    """The model that answers a request.

    Attributes:
        is_alias: The client named none of ours: it knows nothing of the model's limits.
    """

    model_id: str
    is_alias: bool


class ModelAliases:
    """Which model answers to a name.

    Args:
        catalogue: The models on offer; their own ids always mean themselves.
        chosen: The operator's, as `name=id`; they go before the built-in ones. A name may end in
            `*`.

    Raises:
        CatalogueError: A pair leads to no model on offer.
    """

    def __init__(self, catalogue: Catalogue, chosen: Sequence[str] = ()) -> None:
        self._catalogue = catalogue
        parts = [text.partition("=") for text in chosen]
        self._chosen = [(name, model_id) for name, _, model_id in parts]
        for name, model_id in self._chosen:
            if catalogue.find(model_id) is None:
                reason = f"{model_id!r} is not on offer; gen-video models list shows what is"
                raise CatalogueError(file=SETTING, where=name, reason=reason)

    def choose(self, name: str | None, kind: TaskKind) -> ChosenModel:
        """Return the model that answers to a name, for a kind of task.

        Raises:
            UnknownModelError: Neither a model on offer nor an alias for this kind.
        """
        if name is not None and self._catalogue.find(name) is not None:
            return ChosenModel(model_id=name, is_alias=False)
        chosen = self._find_chosen(name)
        if chosen is not None:
            return ChosenModel(model_id=chosen, is_alias=True)
        patterns = HOSTED_VIDEOS if kind.makes_video else HOSTED_PICTURES
        if name is None or any(_fits(name, pattern) for pattern in patterns):
            return ChosenModel(model_id=self._default(kind), is_alias=True)
        raise UnknownModelError(model=name[:80])

    def find(self, name: str) -> str | None:
        """Return the id of the model that answers to a name, None when none does."""
        for kind in (TaskKind.TEXT_TO_IMAGE, TaskKind.TEXT_TO_VIDEO):
            try:
                return self.choose(name, kind).model_id or None
            except UnknownModelError:
                continue
        return None

    def _find_chosen(self, name: str | None) -> str | None:
        if name is None:
            return None
        return next((model for pattern, model in self._chosen if _fits(name, pattern)), None)

    def _default(self, kind: TaskKind) -> str:
        """Return the default model, or where it cannot do this the first one that can."""
        catalogue = self._catalogue
        default = catalogue.default_image_model
        if kind.makes_video:
            default = catalogue.default_video_model
        spec = catalogue.find(default)
        if spec is None or kind in spec.kinds:
            return default
        able = [spec.id for spec in catalogue.list_models(kind) if not spec.is_test_only]
        return able[0] if able else default


def _fits(name: str, pattern: str) -> bool:
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return name == pattern
