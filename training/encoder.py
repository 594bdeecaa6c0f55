"""Encoder: write the codec's linear map into the weights of the stock `AutoencoderKL` encoder.

No training: the residual branches are silenced, every down-sampling convolution becomes a
projection of 2 x 2 cells onto the directions the codec looks at, and the final normalisation and
activation are kept in their linear range. So image-to-image starts from the very latents that the
denoiser knows.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from training.codec import CODEC_PATCH, Codec
from training.places import LATENT_CHANNELS, PATCH

# The normalisation sees one constant channel this large and so divides by a constant.
ANCHOR = 1000.0
# The activation sees values shifted this far to the right, where it is the identity.
SHIFT = 20.0
REACH = 8.0  # how far the activation may see from SHIFT
LARGEST = 12.0  # no latent is larger
LOGVAR = -30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Projections up to 16 x 16 pixels: `steps[k]` is (out, 4 * in), `last` (channels, in)."""

    steps: list[np.ndarray]
    last: np.ndarray


def build_ladder(codec: Codec, widths: list[int]) -> Ladder:
    """Factor the codec into projections of 2 x 2 blocks, keeping the directions it needs.

    Args:
        codec: The linear map.
        widths: Channels that the stock encoder has after each of the four steps.
    """
    rows = codec.basis * codec.scale[:, None]
    whole = rows.reshape(LATENT_CHANNELS, CODEC_PATCH, CODEC_PATCH, 3)
    steps, inside = [], np.eye(3)  # inside: (channels, pixels of a block) map built so far
    for step, width in enumerate(widths):
        half = 2**step
        joined = join_blocks(inside, half)
        wanted = cut_functionals(whole, 2 * half)
        projection = choose_directions(joined, wanted, width)
        steps.append(projection)
        inside = projection @ joined
    last = np.linalg.lstsq(inside.T, rows.T, rcond=None)[0].T
    return Ladder(steps=steps, last=last)


def join_blocks(inside: np.ndarray, half: int) -> np.ndarray:
    """Return the map of a 2 x 2 block of blocks, shape (4 * channels, pixels)."""
    channels, full = len(inside), 2 * half
    joined = np.zeros((4, channels, full, full, 3))
    small = inside.reshape(channels, half, half, 3)
    for place in range(4):
        y, x = divmod(place, 2)
        joined[place, :, y * half : (y + 1) * half, x * half : (x + 1) * half] = small
    return joined.reshape(4 * channels, -1)


def cut_functionals(whole: np.ndarray, block: int) -> np.ndarray:
    """Return what every channel reads from every block of this size, shape (n, pixels)."""
    count = CODEC_PATCH // block
    tiles = whole.reshape(LATENT_CHANNELS, count, block, count, block, 3)
    return tiles.transpose(0, 1, 3, 2, 4, 5).reshape(-1, block * block * 3)


def choose_directions(joined: np.ndarray, wanted: np.ndarray, width: int) -> np.ndarray:
    """Return the `width` best combinations of `joined` for `wanted`, shape (width, 4 * in)."""
    coefficients = np.linalg.lstsq(joined.T, wanted.T, rcond=None)[0].T
    directions = np.linalg.svd(coefficients, full_matrices=False)[2]
    return directions[:width]


@torch.no_grad()
def write_encoder(encoder: nn.Module, codec: Codec) -> None:
    """Overwrite all weights of a stock encoder with the codec."""
    for weight in encoder.parameters():
        weight.zero_()
    for module in encoder.modules():
        if isinstance(module, nn.GroupNorm):
            module.weight.fill_(1.0)
    blocks = list(encoder.down_blocks)
    shrinks = int(math.log2(PATCH // CODEC_PATCH))
    put(encoder.conv_in, torch.eye(3), 1, 1)
    widths = [block.downsamplers[0].conv.out_channels for block in blocks[shrinks:-1]]
    ladder = build_ladder(codec, widths)
    for index, block in enumerate(blocks):
        pass_through(block.resnets[0])
        if index < shrinks:
            write_mean(block.downsamplers[0].conv)
        elif index < len(blocks) - 1:
            write_step(block.downsamplers[0].conv, ladder.steps[index - shrinks])
    write_end(encoder, codec, ladder)


def put(conv: nn.Conv2d, matrix: Tensor, y: int, x: int) -> None:
    """Write a matrix into one tap of a convolution."""
    conv.weight[: matrix.shape[0], : matrix.shape[1], y, x] = matrix.to(conv.weight)


def pass_through(resnet: nn.Module) -> None:
    """Let a residual block hand its channels on unchanged."""
    shortcut = resnet.conv_shortcut
    if shortcut is not None:
        put(shortcut, torch.eye(min(shortcut.weight.shape[:2])), 0, 0)


def write_mean(conv: nn.Conv2d) -> None:
    """Average 2 x 2 pixels."""
    for place in range(4):
        put(conv, torch.eye(3) / 4, *divmod(place, 2))


def write_step(conv: nn.Conv2d, projection: np.ndarray) -> None:
    """Project 2 x 2 cells."""
    parts = np.split(projection, 4, axis=1)
    for place, part in enumerate(parts):
        put(conv, torch.from_numpy(np.ascontiguousarray(part)), *divmod(place, 2))


def write_end(encoder: nn.Module, codec: Codec, ladder: Ladder) -> None:
    """Carry the latents through normalisation and activation, and set their mean and variance.

    The last channel holds ANCHOR; it alone decides mean and spread, both known in advance.
    """
    width = encoder.conv_norm_out.num_channels
    last_block = encoder.down_blocks[-1].resnets[0].conv_shortcut
    # The final projection happens in the 1 x 1 shortcut, together with the anchor.
    last_block.weight.zero_()
    put(last_block, torch.from_numpy(ladder.last), 0, 0)
    last_block.bias[width - 1] = ANCHOR
    mean, deviation = ANCHOR / width, ANCHOR * math.sqrt(1 / width - 1 / width**2)
    gain = REACH / LARGEST
    norm, conv = encoder.conv_norm_out, encoder.conv_out
    norm.weight.fill_(gain * deviation)
    norm.bias.fill_(SHIFT + gain * mean)
    norm.weight[width - 1], norm.bias[width - 1] = 0.0, SHIFT
    put(conv, torch.eye(LATENT_CHANNELS) / gain, 1, 1)
    offset = codec.basis @ codec.mean * codec.scale
    conv.bias[:LATENT_CHANNELS] = -SHIFT / gain - torch.from_numpy(offset)
    conv.bias[LATENT_CHANNELS:] = LOGVAR
