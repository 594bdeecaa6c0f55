"""Autoencoders, denoising U-Nets and schedulers that several families share."""

from typing import Any, TypeAlias

from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    UNet2DConditionModel,
)

Part: TypeAlias = Any

CHANNELS = 4
BLOCKS = 4


def autoencoder(*, is_flow: bool = False, has_attention: bool = True) -> Part:
    """Return an autoencoder that shrinks pictures eightfold, as the real ones do."""
    shift = {"shift_factor": 0.1, "scaling_factor": 1.5} if is_flow else {}
    return AutoencoderKL(
        block_out_channels=(CHANNELS,) * BLOCKS,
        down_block_types=("DownEncoderBlock2D",) * BLOCKS,
        up_block_types=("UpDecoderBlock2D",) * BLOCKS,
        layers_per_block=1,
        latent_channels=CHANNELS,
        norm_num_groups=2,
        sample_size=64,
        mid_block_add_attention=has_attention,
        **shift,
    )


def unet(*, cross_attention_width: int, pooled_width: int = 0) -> Part:
    """Return a U-Net of two blocks; with a pooled width it also wants times and sizes."""
    extra = {}
    if pooled_width:
        extra = {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": pooled_width + 6 * 8,
            "use_linear_projection": True,
        }
    return UNet2DConditionModel(
        block_out_channels=(8, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        sample_size=8,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        attention_head_dim=2,
        norm_num_groups=2,
        cross_attention_dim=cross_attention_width,
        **extra,
    )


def euler_scheduler() -> Part:
    """Return the scheduler of the older families."""
    return EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
    )


def flow_scheduler(**settings: object) -> Part:
    """Return the scheduler of the families that follow a flow."""
    return FlowMatchEulerDiscreteScheduler(**settings)
