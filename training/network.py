"""Network: the text encoder and the denoiser, both stock classes built from configuration.

The prompt reaches the denoiser twice: pooled into the time embedding (mood, palette, kind) and by
cross-attention on the 8 x 8 grid (what stands where).
"""

from itertools import pairwise
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, PreTrainedTokenizerFast

from training.places import LATENT_CHANNELS
from training.tokenizer import MAX_TOKENS

TEXT_WIDTH = 192
STEPS = 1000  # timestep = STEPS * sigma


def build_text_encoder(tokenizer: PreTrainedTokenizerFast) -> CLIPTextModel:
    """Build the text encoder: 3 layers, causal, trained together with the denoiser."""
    config = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=TEXT_WIDTH,
        intermediate_size=2 * TEXT_WIDTH,
        projection_dim=TEXT_WIDTH,
        num_hidden_layers=3,
        num_attention_heads=6,
        max_position_embeddings=MAX_TOKENS,
        hidden_act="gelu",
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return CLIPTextModel(config)


def build_unet(channels: int = LATENT_CHANNELS) -> UNet2DConditionModel:
    """Build the denoiser: grids of 16, 8 and 4, attention at 8 and 4."""
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=channels,
        out_channels=channels,
        block_out_channels=(128, 192, 192),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=3,  # diffusers reads this as the number of heads
        norm_num_groups=16,
        use_linear_projection=True,
        resnet_time_scale_shift="scale_shift",
        time_embedding_dim=320,
        addition_embed_type="text",
        addition_embed_type_num_heads=6,
    )
    nn.init.zeros_(unet.conv_out.weight)
    nn.init.zeros_(unet.conv_out.bias)
    unet.set_attn_processor(AttnProcessor())  # trains faster than fused attention on a CPU
    return unet


class Mini(nn.Module):
    """Text encoder and denoiser as one trainable module."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast, channels: int = LATENT_CHANNELS) -> None:
        super().__init__()
        self.text_encoder = build_text_encoder(tokenizer)
        self.unet = build_unet(channels)

    def load_exported(self, folder: Path) -> None:
        """Take the weights of an exported pipeline folder."""
        unet = UNet2DConditionModel.from_pretrained(folder / "unet")
        text_encoder = CLIPTextModel.from_pretrained(folder / "text_encoder")
        self.unet.load_state_dict(unet.float().state_dict())
        self.text_encoder.load_state_dict(text_encoder.state_dict())

    @torch.no_grad()
    def widen(self, still: "Mini") -> None:
        """Take the weights of a model with fewer channels; the new ones start silent."""
        wide = self.state_dict()
        for name, weight in still.state_dict().items():
            if wide[name].shape == weight.shape:
                wide[name].copy_(weight)
                continue
            wide[name].zero_()
            wide[name][tuple(slice(0, size) for size in weight.shape)] = weight

    def forward(self, latents: Tensor, sigmas: Tensor, tokens: Tensor) -> Tensor:
        """Predict the flow.

        Args:
            latents: Noisy latents, shape (batch, channels, rows, columns).
            sigmas: Share of noise, shape (batch,), 0 to 1.
            tokens: Token ids, shape (batch, MAX_TOKENS).

        Returns:
            Velocity `noise - latents`, same shape as `latents`.
        """
        states = self.text_encoder(tokens).last_hidden_state
        return self.unet(latents, sigmas * STEPS, states).sample


@torch.no_grad()
def sample(
    model: Mini, noise: Tensor, tokens: Tensor, empty: Tensor, *, steps: int, guidance_scale: float
) -> Tensor:
    """Draw latents with plain Euler steps and classifier-free guidance, for previews."""
    sigmas = torch.linspace(1, 0, steps + 1)
    both = torch.cat((tokens, empty.expand_as(tokens)))
    latents = noise
    for now, then in pairwise(sigmas):
        flow = model(torch.cat((latents, latents)), now.expand(len(both)), both)
        said, unsaid = flow.chunk(2)
        latents = latents + (then - now) * (unsaid + guidance_scale * (said - unsaid))
    return latents
