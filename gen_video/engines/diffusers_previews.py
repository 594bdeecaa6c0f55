"""Previews: what unfinished latents will look like, for less than a thousandth of a second.

Two neighbouring steps tell where the latents are heading. A linear map, fitted once to each
model's own autoencoder, turns that into a small picture: no decoder runs between the steps.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from PIL import Image, ImageDraw
from torch.nn import functional

from gen_video.engines.diffusers_latents import encode
from gen_video.engines.diffusers_models import LOAD_ERRORS, Pipeline
from gen_video.engines.noise import Level, noise_levels
from gen_video.engines.previews import small_size
from gen_video.engines.tasks import SmallPicture

PICTURES, SHAPES = 8, 12
"""To fit with: shapes that cover each other before a soft ground, much like the real ones."""
LATENT_SIDE, LARGE_CELL_SIDE, LARGE_CELL = 16, 8, 32
PROBE_SIDE = 256
MOST_PARTS = 8
RIDGE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Readout:
    """A linear map from latents to colours.

    Attributes:
        weights: Shape (channels + 1, 3 * parts * parts).
        channels: Of the latents.
        cell: Pixels of the finished picture for one of the latents, each way.
        parts: Pixels that are read from one of the latents, each way.
    """

    weights: torch.Tensor
    channels: int
    cell: int
    parts: int

    def paint(self, latents: torch.Tensor, size: tuple[int, int]) -> SmallPicture:
        """Return what latents of shape (channels, rows, columns) look like, at this size."""
        seen = _features(latents[None].float()) @ self.weights.to(latents.device)
        blocks = seen.transpose(1, 2).reshape(1, -1, *latents.shape[-2:])
        colours = functional.pixel_shuffle(blocks, self.parts)
        width, height = size
        scaled = functional.interpolate(
            colours, size=(height, width), mode="bicubic", antialias=True
        )
        pixels = ((scaled[0].clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        rgb = pixels.permute(1, 2, 0).contiguous().cpu().numpy().tobytes()
        return SmallPicture(width=width, height=height, rgb=rgb)


class Previewer:
    """Looks at the latents of one picture or clip after each step.

    Args:
        readout: Of the model.
        size: Width and height that the model samples at.
        due: The steps after which a preview is wanted, counted as the caller counts.
    """

    def __init__(
        self, readout: Readout | None, *, size: tuple[int, int], due: frozenset[int]
    ) -> None:
        self._readout = readout
        self._size = size
        self._due = due if readout is not None else frozenset[int]()
        self._is_owed = False
        self._before: torch.Tensor | None = None

    def see(
        self, pipeline: Pipeline, latents: object, timestep: object, *, done: int
    ) -> SmallPicture | None:
        """Return a preview if one is due and the latents can be read."""
        if not self._due or not isinstance(latents, torch.Tensor):
            return None
        before, self._before = self._before, latents
        self._is_owed |= done in self._due
        if not self._is_owed or before is None or before.shape != latents.shape:
            return None
        self._is_owed = False
        levels = noise_levels(pipeline.scheduler, timestep)
        return self._paint(_destination(before, latents, levels))

    def _paint(self, latents: torch.Tensor) -> SmallPicture | None:
        readout = self._readout
        if readout is None:
            return None
        plane = middle_plane(latents, readout, self._size)
        return None if plane is None else readout.paint(plane, small_size(*self._size))


def fit_readout(pipeline: Pipeline) -> Readout | None:
    """Fit the map of a model; None for a family whose autoencoder works otherwise.

    Costs one run of its encoder over some small pictures.
    """
    vae = getattr(pipeline, "vae", None)
    if vae is None:
        return None
    try:
        with _precise(vae):
            return _fit(pipeline)
    except LOAD_ERRORS:
        return None


def middle_plane(
    latents: torch.Tensor, readout: Readout, size: tuple[int, int]
) -> torch.Tensor | None:
    """Return the latents of a picture, or of a clip's middle frame, as (channels, rows, columns).

    None when they are laid out in a way that is not known.
    """
    channels = readout.channels
    shape = latents.shape
    match latents.dim():
        case 5 if shape[1] == channels:
            return latents[0, :, shape[2] // 2]
        case 5 if shape[2] == channels:
            return latents[0, shape[1] // 2]
        case 4 if shape[1] == channels:
            return latents[0]
        case 3 if shape[2] == channels:
            return _unroll(latents[0], size, readout.cell)
        case 3 if shape[2] == 4 * channels:
            packed = _unroll(latents[0], size, 2 * readout.cell)
            return None if packed is None else functional.pixel_shuffle(packed, 2)
        case _:
            return None


def _unroll(tokens: torch.Tensor, size: tuple[int, int], cell: int) -> torch.Tensor | None:
    """Return the middle frame of tokens that follow one another, row by row, frame by frame."""
    columns, rows = size[0] // cell, size[1] // cell
    if not columns * rows or len(tokens) % (columns * rows):
        return None
    frames = tokens.reshape(-1, rows, columns, tokens.shape[-1])
    return frames[len(frames) // 2].permute(2, 0, 1)


def _destination(
    before: torch.Tensor, after: torch.Tensor, levels: tuple[Level, Level] | None
) -> torch.Tensor:
    """Return the latents without noise that two steps of one path point to."""
    if levels is None:
        return after
    (signal_0, noise_0), (signal_1, noise_1) = levels
    divisor = noise_1 * signal_0 - noise_0 * signal_1
    if not divisor:
        return after
    return (noise_1 * before - noise_0 * after) / divisor


@contextmanager
def _precise(vae: torch.nn.Module) -> Iterator[None]:
    """Compute in float32 where half precision is known to overflow."""
    config, dtype = getattr(vae, "config", {}), next(vae.parameters()).dtype
    is_fragile = dtype == torch.float16 and bool(config.get("force_upcast", False))
    if is_fragile:
        vae.to(torch.float32)
    try:
        yield
    finally:
        if is_fragile:
            vae.to(dtype)


def _fit(pipeline: Pipeline) -> Readout | None:
    probe = encode(pipeline, _draw_shapes(1, PROBE_SIDE))
    cell = PROBE_SIDE // probe.shape[-1]
    side = cell * (LATENT_SIDE if cell < LARGE_CELL else LARGE_CELL_SIDE)
    pictures = _draw_shapes(PICTURES, side)
    latents = torch.cat([encode(pipeline, picture[None]) for picture in pictures]).cpu()
    parts = min(max(cell // 4, 1), MOST_PARTS)
    rows, columns = (count * parts for count in latents.shape[-2:])
    small = functional.interpolate(pictures, size=(rows, columns), mode="area")
    wanted = functional.pixel_unshuffle(small, parts).flatten(2).transpose(1, 2)
    seen = _features(latents)
    weights = _solve(seen.flatten(0, 1).double(), wanted.flatten(0, 1).double()).float()
    if not bool(torch.isfinite(weights).all()):
        return None
    return Readout(weights=weights, channels=latents.shape[1], cell=cell, parts=parts)


def _solve(seen: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return the least-squares weights, kept small where the pictures say little."""
    gram = seen.T @ seen
    gram += RIDGE * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    return torch.linalg.solve(gram, seen.T @ wanted)


def _features(latents: torch.Tensor) -> torch.Tensor:
    """Return the channels of every place and a one, shape (batch, places, channels + 1)."""
    return functional.pad(latents.flatten(2).transpose(1, 2), (0, 1), value=1.0)


def _draw_shapes(count: int, side: int) -> torch.Tensor:
    """Return pictures of random shapes, always the same, values -1 to 1."""
    dice = random.Random(side)  # noqa: S311 - not a secret
    pictures = [_draw_picture(dice, side) for _ in range(count)]
    return torch.stack(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def _draw_picture(dice: random.Random, side: int) -> torch.Tensor:
    size, mood = (side, side), _colour(dice, (128, 128, 128), 1.0)
    ramp = Image.linear_gradient("L").resize(size).rotate(dice.choice((0, 90, 180, 270)))
    sky = Image.new("RGB", size, _colour(dice, mood, 0.7))
    image = Image.composite(sky, Image.new("RGB", size, _colour(dice, mood, 0.7)), ramp)
    canvas = ImageDraw.Draw(image)
    for _ in range(SHAPES):
        radius = side * (0.5 * dice.random() ** 2 + 0.02)
        x, y = dice.uniform(0, side), dice.uniform(0, side)
        flat = radius * dice.random()
        draw = dice.choice((canvas.ellipse, canvas.rectangle))
        draw((x - radius, y - flat, x + radius, y + flat + 1), fill=_colour(dice, mood, 0.7))
    return torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8).view(side, side, 3)


def _colour(
    dice: random.Random, mood: tuple[int, int, int], distance: float
) -> tuple[int, int, int]:
    """Return a colour that lies up to a share of the way from one to any other."""
    share = distance if distance == 1 else distance * dice.random()
    red, green, blue = (round(part + (dice.randrange(256) - part) * share) for part in mood)
    return red, green, blue
