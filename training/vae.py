"""VAE: the stock `AutoencoderKL` at two depths, and how the shallow one grows into the deep one.

The shallow VAE turns a latent cell into 16 x 16 pixels and is cheap to train; the deep one appends
two up-blocks that draw 64 x 64 pixels per cell. Both start close to plain smooth upsampling.
"""

import torch
from diffusers import AutoencoderKL
from torch import nn

from training.places import LATENT_CHANNELS

DEEP = (16, 16, 16, 24, 48, 96, 128)  # channels at 1024, 512, ... 16 pixels
SHALLOW = DEEP[2:]
OUTPUT = ("conv_norm_out", "conv_out")  # of the decoder


def build_vae(channels: tuple[int, ...]) -> AutoencoderKL:
    """Build a VAE whose decoder begins as a smooth linear map."""
    vae = AutoencoderKL(
        block_out_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        latent_channels=LATENT_CHANNELS,
        layers_per_block=1,
        norm_num_groups=1,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
        sample_size=1024,
        scaling_factor=1.0,
    )
    soften(vae.decoder)
    return vae


@torch.no_grad()
def soften(decoder: nn.Module) -> None:
    """Make every residual branch silent and every up-sampling convolution the identity."""
    for name, module in decoder.named_modules():
        if not isinstance(module, nn.Conv2d):
            continue
        if name.endswith(".conv2"):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
        elif "upsamplers" in name:
            nn.init.dirac_(module.weight)
            nn.init.zeros_(module.bias)
        elif name.endswith("conv_shortcut"):
            nn.init.orthogonal_(module.weight)
            nn.init.zeros_(module.bias)


def grow(shallow: nn.Module, deep: nn.Module) -> None:
    """Copy a shallow decoder into a deep one and freeze it there; only what is new can learn.

    The last up-block of the shallow decoder becomes the third last of the deep one; what
    follows should start as interpolation.
    """
    deep.load_state_dict(deep.state_dict() | shallow.state_dict())
    known = {name for name in shallow.state_dict() if not name.startswith(OUTPUT)}
    for name, weight in deep.named_parameters():
        weight.requires_grad_(name not in known)


@torch.no_grad()
def interpolate(deep: nn.Module) -> None:
    """Make the new up-sampling convolutions of a deep decoder bilinear."""
    slope = torch.tensor([1.0, 2.0, 1.0]) / 4
    for block in deep.up_blocks[len(SHALLOW) - 1 : -1]:
        weight = block.upsamplers[0].conv.weight
        weight.copy_(torch.eye(len(weight))[:, :, None, None] * torch.outer(slope, slope))
