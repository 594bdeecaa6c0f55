"""One tiny pipeline of random weights per family of the catalogue, saved like a real download."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import diffusers
import torch
from torch import nn
from transformers import CLIPImageProcessor

from tests.engines.pipelines import encoders, parts, tokenizers

Pipeline: TypeAlias = Any
Builder: TypeAlias = Callable[[Path], Pipeline]

WIDTH = encoders.WIDTH


def stable_diffusion(_folder: Path) -> Pipeline:
    """Return a Stable Diffusion 1.5; the real one has a safety checker, which may be absent."""
    return diffusers.StableDiffusionPipeline(
        vae=parts.autoencoder(),
        text_encoder=encoders.clip_encoder(),
        tokenizer=tokenizers.clip_tokenizer(),
        unet=parts.unet(cross_attention_width=WIDTH),
        scheduler=parts.euler_scheduler(),
        safety_checker=None,
        feature_extractor=CLIPImageProcessor(),
        requires_safety_checker=False,
    )


def stable_diffusion_xl(_folder: Path) -> Pipeline:
    """Return an SDXL."""
    return diffusers.StableDiffusionXLPipeline(
        vae=parts.autoencoder(),
        text_encoder=encoders.clip_encoder(),
        text_encoder_2=encoders.clip_encoder(has_projection=True),
        tokenizer=tokenizers.clip_tokenizer(),
        tokenizer_2=tokenizers.clip_tokenizer(),
        unet=parts.unet(cross_attention_width=2 * WIDTH, pooled_width=WIDTH),
        scheduler=parts.euler_scheduler(),
    )


def stable_diffusion_3(_folder: Path) -> Pipeline:
    """Return a Stable Diffusion 3.5: three text encoders."""
    return diffusers.StableDiffusion3Pipeline(
        transformer=diffusers.SD3Transformer2DModel(
            sample_size=8,
            patch_size=2,
            in_channels=parts.CHANNELS,
            out_channels=parts.CHANNELS,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=2 * WIDTH,
            caption_projection_dim=16,
            pooled_projection_dim=2 * WIDTH,
            dual_attention_layers=(0,),
            qk_norm="rms_norm",
        ),
        scheduler=parts.flow_scheduler(shift=3.0),
        vae=parts.autoencoder(is_flow=True),
        text_encoder=encoders.clip_encoder(has_projection=True),
        tokenizer=tokenizers.clip_tokenizer(),
        text_encoder_2=encoders.clip_encoder(has_projection=True),
        tokenizer_2=tokenizers.clip_tokenizer(),
        text_encoder_3=encoders.t5_encoder(2 * WIDTH),
        tokenizer_3=tokenizers.t5_tokenizer(),
    )


def flux_dev(_folder: Path) -> Pipeline:
    """Return a FLUX.1 [dev]: guidance is an input of the network."""
    return _flux(has_guidance=True)


def flux_schnell(_folder: Path) -> Pipeline:
    """Return a FLUX.1 [schnell]: no guidance."""
    return _flux(has_guidance=False)


def _flux(*, has_guidance: bool) -> Pipeline:
    return diffusers.FluxPipeline(
        scheduler=parts.flow_scheduler(use_dynamic_shifting=has_guidance),
        vae=parts.autoencoder(is_flow=True),
        text_encoder=encoders.clip_encoder(),
        tokenizer=tokenizers.clip_tokenizer(),
        text_encoder_2=encoders.t5_encoder(),
        tokenizer_2=tokenizers.t5_tokenizer(),
        transformer=diffusers.FluxTransformer2DModel(
            in_channels=4 * parts.CHANNELS,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=1,
            joint_attention_dim=WIDTH,
            pooled_projection_dim=WIDTH,
            guidance_embeds=has_guidance,
            axes_dims_rope=(4, 4, 8),
        ),
    )


def flux2_klein(_folder: Path) -> Pipeline:
    """Return a FLUX.2 [klein]: distilled, draws and edits with one class."""
    return diffusers.Flux2KleinPipeline(
        scheduler=parts.flow_scheduler(use_dynamic_shifting=True),
        vae=diffusers.AutoencoderKLFlux2(
            block_out_channels=(4, 4, 4, 4),
            layers_per_block=1,
            latent_channels=parts.CHANNELS,
            norm_num_groups=2,
        ),
        text_encoder=encoders.qwen3_causal_model(),
        tokenizer=tokenizers.qwen_tokenizer(),
        transformer=diffusers.Flux2Transformer2DModel(
            in_channels=4 * parts.CHANNELS,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=1,
            joint_attention_dim=3 * WIDTH,
            timestep_guidance_channels=16,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        ),
        is_distilled=True,
    )


def qwen_image(_folder: Path) -> Pipeline:
    """Return a Qwen-Image."""
    return diffusers.QwenImagePipeline(
        scheduler=parts.flow_scheduler(use_dynamic_shifting=True),
        vae=diffusers.AutoencoderKLQwenImage(
            base_dim=8,
            z_dim=parts.CHANNELS,
            dim_mult=[1, 1, 1, 1],
            num_res_blocks=1,
            latents_mean=[0.0] * parts.CHANNELS,
            latents_std=[1.0] * parts.CHANNELS,
        ),
        text_encoder=encoders.qwen_vl_model(),
        tokenizer=tokenizers.qwen_tokenizer(),
        transformer=diffusers.QwenImageTransformer2DModel(
            in_channels=4 * parts.CHANNELS,
            out_channels=parts.CHANNELS,
            num_layers=1,
            attention_head_dim=16,
            num_attention_heads=1,
            joint_attention_dim=WIDTH,
            axes_dims_rope=(8, 4, 4),
        ),
    )


def z_image(_folder: Path) -> Pipeline:
    """Return a Z-Image."""
    transformer = diffusers.ZImageTransformer2DModel(
        in_channels=parts.CHANNELS,
        dim=32,
        n_layers=1,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=WIDTH,
        axes_dims=[8, 4, 4],
        axes_lens=[1024, 64, 64],
    )
    with torch.no_grad():  # a real download fills these, the constructor does not
        transformer.x_pad_token.zero_()
        transformer.cap_pad_token.zero_()
    return diffusers.ZImagePipeline(
        scheduler=parts.flow_scheduler(shift=3.0),
        vae=parts.autoencoder(is_flow=True),
        text_encoder=encoders.qwen3_model(),
        tokenizer=tokenizers.qwen_tokenizer(),
        transformer=transformer,
    )


def hunyuan_dit(_folder: Path) -> Pipeline:
    """Return a HunyuanDiT; its patches are large, as its pipeline draws a million pixels."""
    return diffusers.HunyuanDiTPipeline(
        vae=parts.autoencoder(has_attention=False),
        text_encoder=encoders.bert_encoder(2 * WIDTH),
        tokenizer=tokenizers.bert_tokenizer(),
        transformer=diffusers.HunyuanDiT2DModel(
            sample_size=16,
            patch_size=8,
            in_channels=parts.CHANNELS,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=2,
            hidden_size=16,
            cross_attention_dim=2 * WIDTH,
            cross_attention_dim_t5=2 * WIDTH,
            pooled_projection_dim=16,
            use_style_cond_and_image_meta_size=False,
        ),
        scheduler=diffusers.DDPMScheduler(
            beta_end=0.02, beta_schedule="scaled_linear", prediction_type="v_prediction"
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
        text_encoder_2=encoders.t5_encoder(2 * WIDTH),
        tokenizer_2=tokenizers.t5_tokenizer(),
    )


def kolors(folder: Path) -> Pipeline:
    """Return a Kolors: SDXL's network behind ChatGLM."""
    return diffusers.KolorsPipeline(
        vae=parts.autoencoder(),
        text_encoder=encoders.chatglm_model(),
        tokenizer=tokenizers.chatglm_tokenizer(folder),
        unet=parts.unet(cross_attention_width=WIDTH, pooled_width=WIDTH),
        scheduler=parts.euler_scheduler(),
    )


def pixart_sigma(_folder: Path) -> Pipeline:
    """Return a PixArt-Sigma, of the smallest size that its pipeline knows: 256 pixels."""
    return diffusers.PixArtSigmaPipeline(
        tokenizer=tokenizers.t5_tokenizer(),
        text_encoder=encoders.t5_encoder(),
        vae=parts.autoencoder(),
        transformer=diffusers.PixArtTransformer2DModel(
            num_attention_heads=2,
            attention_head_dim=8,
            in_channels=parts.CHANNELS,
            out_channels=2 * parts.CHANNELS,
            num_layers=1,
            cross_attention_dim=16,
            sample_size=32,
            norm_num_groups=2,
            caption_channels=WIDTH,
            use_additional_conditions=False,
        ),
        scheduler=diffusers.DPMSolverMultistepScheduler(),
    )


BUILDERS: dict[str, Builder] = {
    "sd-1.5": stable_diffusion,
    "sdxl": stable_diffusion_xl,
    "sdxl-turbo": stable_diffusion_xl,
    "sd-3.5-medium": stable_diffusion_3,
    "sd-3.5-large": stable_diffusion_3,
    "flux-dev": flux_dev,
    "flux-schnell": flux_schnell,
    "flux2-klein-4b": flux2_klein,
    "qwen-image": qwen_image,
    "z-image-turbo": z_image,
    "hunyuan-dit": hunyuan_dit,
    "kolors": kolors,
    "pixart-sigma": pixart_sigma,
}
"""The pipeline that stands for a catalogue id."""

FAMILIES = tuple({build: model_id for model_id, build in reversed(BUILDERS.items())}.values())
"""One catalogue id for each kind of pipeline."""


def save_pipeline(build: Builder, folder: Path, *, variant: str | None = None) -> None:
    """Build a pipeline, the same at each call, and save it as safetensors."""
    torch.manual_seed(20)
    folder.mkdir(parents=True)
    pipeline = build(folder.parent)
    for part in pipeline.components.values():
        if isinstance(part, nn.Module):
            part.eval()
    pipeline.save_pretrained(folder, safe_serialization=True, variant=variant)
