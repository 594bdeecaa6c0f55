"""One tiny video pipeline of random weights per family, saved like a real download."""

from pathlib import Path
from typing import Any

import diffusers
from diffusers.pipelines.ltx2 import LTX2TextConnectors, LTX2Vocoder
from transformers import (
    ByT5Tokenizer,
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Qwen2_5_VLTextConfig,
    Qwen2_5_VLTextModel,
    SiglipImageProcessor,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from tests.engines.pipelines import encoders, parts, tokenizers
from tests.engines.pipelines.families import Builder, Pipeline

WIDTH = encoders.WIDTH
LATENTS = 4
GLYPH_WIDTH = 16
MOCHI_LATENTS = 12
"""The pipeline of Mochi counts on this number."""


def wan_from_text(_folder: Path) -> Pipeline:
    """Return a Wan 2.1 text-to-video."""
    return diffusers.WanPipeline(
        tokenizer=tokenizers.t5_tokenizer(),
        text_encoder=encoders.umt5_encoder(),
        transformer=_wan_transformer(),
        vae=_wan_autoencoder(),
        scheduler=diffusers.UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
    )


def wan_from_text_in_two_stages(_folder: Path) -> Pipeline:
    """Return a Wan 2.2 text-to-video: one network for much noise, one for little."""
    pipeline = wan_from_text(_folder)
    return diffusers.WanPipeline(
        **pipeline.components | {"transformer_2": _wan_transformer()}, boundary_ratio=0.875
    )


def wan_from_image(_folder: Path) -> Pipeline:
    """Return a Wan 2.1 image-to-video: it looks at the image with CLIP as well."""
    return diffusers.WanImageToVideoPipeline(
        **wan_from_text(_folder).components
        | {
            "transformer": _wan_transformer(sees_image=True, image_dim=WIDTH),
            "transformer_2": None,
            "image_encoder": _clip_vision(CLIPVisionModel),
            "image_processor": CLIPImageProcessor(size=32, crop_size=32),
        }
    )


def wan_from_image_in_two_stages(_folder: Path) -> Pipeline:
    """Return a Wan 2.2 image-to-video."""
    return diffusers.WanImageToVideoPipeline(
        **wan_from_text(_folder).components
        | {
            "transformer": _wan_transformer(sees_image=True),
            "transformer_2": _wan_transformer(sees_image=True),
            "image_encoder": None,
            "image_processor": None,
        },
        boundary_ratio=0.9,
    )


def wan_from_both(_folder: Path) -> Pipeline:
    """Return a Wan 2.2 TI2V: an autoencoder that shrinks sixteenfold, one network for both."""
    return diffusers.WanPipeline(
        **wan_from_text(_folder).components
        | {
            "vae": _wan_autoencoder(
                is_residual=True,
                in_channels=12,
                out_channels=12,
                patch_size=2,
                scale_factor_spatial=16,
                decoder_base_dim=4,
            )
        },
        expand_timesteps=True,
    )


def _wan_transformer(*, sees_image: bool = False, image_dim: int | None = None) -> parts.Part:
    return diffusers.WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=2 * LATENTS + 4 if sees_image else LATENTS,  # noise, image, mask
        out_channels=LATENTS,
        text_dim=WIDTH,
        freq_dim=16,
        ffn_dim=16,
        num_layers=2,
        rope_max_seq_len=32,
        image_dim=image_dim,
        added_kv_proj_dim=None if image_dim is None else 24,
    )


def _wan_autoencoder(**settings: object) -> parts.Part:
    return diffusers.AutoencoderKLWan(
        **{
            "base_dim": 4,
            "z_dim": LATENTS,
            "dim_mult": [1, 1, 1, 1],
            "num_res_blocks": 1,
            "latents_mean": [0.0] * LATENTS,
            "latents_std": [1.0] * LATENTS,
        }
        | settings
    )


def ltx(_folder: Path) -> Pipeline:
    """Return an LTX-Video 0.9."""
    return _ltx(timestep_conditioning=False)


def ltx_with_denoising_decoder(_folder: Path) -> Pipeline:
    """Return an LTX-Video 0.9.1: its decoder takes the last step."""
    return _ltx(timestep_conditioning=True)


def ltx_that_takes_conditions(folder: Path) -> Pipeline:
    """Return an LTX-Video 0.9.5: one pipeline with or without images."""
    components = ltx_with_denoising_decoder(folder).components
    return diffusers.LTXConditionPipeline(**components | {"scheduler": parts.flow_scheduler()})


def _ltx(*, timestep_conditioning: bool) -> Pipeline:
    return diffusers.LTXPipeline(
        scheduler=parts.flow_scheduler(use_dynamic_shifting=True),
        vae=diffusers.AutoencoderKLLTXVideo(
            latent_channels=LATENTS,
            block_out_channels=(4, 4, 4, 4),
            decoder_block_out_channels=(4, 4, 4, 4),
            layers_per_block=(1, 1, 1, 1, 1),
            decoder_layers_per_block=(1, 1, 1, 1, 1),
            timestep_conditioning=timestep_conditioning,
        ),
        text_encoder=encoders.t5_encoder(),
        tokenizer=tokenizers.t5_tokenizer(),
        transformer=diffusers.LTXVideoTransformer3DModel(
            in_channels=LATENTS,
            out_channels=LATENTS,
            num_attention_heads=2,
            attention_head_dim=8,
            cross_attention_dim=16,
            num_layers=1,
            caption_channels=WIDTH,
        ),
    )


def ltx_2(_folder: Path) -> Pipeline:
    """Return an LTX-2: it makes sound as well."""
    mel_bins, sound_width = 16, LATENTS * 16 // 4
    return diffusers.LTX2Pipeline(
        scheduler=parts.flow_scheduler(use_dynamic_shifting=True),
        vae=diffusers.AutoencoderKLLTX2Video(
            latent_channels=LATENTS,
            block_out_channels=(8, 8, 8, 8),
            decoder_block_out_channels=(8, 8, 8),
            layers_per_block=(1, 1, 1, 1, 1),
            decoder_layers_per_block=(1, 1, 1, 1),
            upsample_factor=(1, 1, 1),
            spatial_compression_ratio=32,
            temporal_compression_ratio=8,
        ),
        audio_vae=diffusers.AutoencoderKLLTX2Audio(
            base_channels=sound_width,
            ch_mult=(1, 1, 1),
            num_res_blocks=1,
            latent_channels=LATENTS,
            mel_bins=mel_bins,
        ),
        text_encoder=_gemma(),
        tokenizer=tokenizers.qwen_tokenizer(),
        connectors=LTX2TextConnectors(
            caption_channels=WIDTH,
            text_proj_in_factor=3,
            video_connector_num_attention_heads=2,
            video_connector_attention_head_dim=8,
            video_connector_num_layers=1,
            video_connector_num_learnable_registers=None,
            audio_connector_num_attention_heads=2,
            audio_connector_attention_head_dim=8,
            audio_connector_num_layers=1,
            audio_connector_num_learnable_registers=None,
        ),
        transformer=diffusers.LTX2VideoTransformer3DModel(
            in_channels=LATENTS,
            out_channels=LATENTS,
            num_attention_heads=2,
            attention_head_dim=8,
            cross_attention_dim=16,
            audio_in_channels=sound_width,
            audio_out_channels=sound_width,
            audio_num_attention_heads=2,
            audio_attention_head_dim=4,
            audio_cross_attention_dim=8,
            num_layers=2,
            caption_channels=WIDTH,
        ),
        vocoder=LTX2Vocoder(
            in_channels=2 * mel_bins,
            hidden_channels=8,
            upsample_kernel_sizes=[4, 4],
            upsample_factors=[2, 2],
            resnet_kernel_sizes=[3],
            resnet_dilations=[[1]],
        ),
    )


def _gemma() -> parts.Part:
    text = {
        "vocab_size": encoders.VOCABULARY,
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 8,
    }
    vision = {
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 32,
        "patch_size": 16,
    }
    config = Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4)
    return Gemma3ForConditionalGeneration(config)


def hunyuan_from_text(_folder: Path) -> Pipeline:
    """Return a HunyuanVideo 1.5 text-to-video."""
    return diffusers.HunyuanVideo15Pipeline(**_hunyuan_parts())


def hunyuan_from_image(_folder: Path) -> Pipeline:
    """Return a HunyuanVideo 1.5 image-to-video."""
    return diffusers.HunyuanVideo15ImageToVideoPipeline(
        **_hunyuan_parts(),
        image_encoder=SiglipVisionModel(
            SiglipVisionConfig(
                hidden_size=WIDTH,
                intermediate_size=WIDTH,
                num_hidden_layers=1,
                num_attention_heads=2,
                image_size=54,
                patch_size=2,  # 27 x 27 patches: the pipeline counts on 729
            )
        ),
        feature_extractor=SiglipImageProcessor(size={"height": 54, "width": 54}),
    )


def _hunyuan_parts() -> dict[str, Any]:
    return {
        "text_encoder": Qwen2_5_VLTextModel(
            Qwen2_5_VLTextConfig(
                vocab_size=encoders.VOCABULARY,
                hidden_size=WIDTH,
                intermediate_size=WIDTH,
                num_hidden_layers=3,
                num_attention_heads=2,
                num_key_value_heads=2,
                rope_scaling={
                    "mrope_section": [1, 1, 2],
                    "rope_type": "default",
                    "type": "default",
                },
            )
        ),
        "tokenizer": tokenizers.qwen_tokenizer(),
        "transformer": diffusers.HunyuanVideo15Transformer3DModel(
            in_channels=2 * LATENTS + 1,
            out_channels=LATENTS,
            num_attention_heads=2,
            attention_head_dim=8,
            num_layers=1,
            num_refiner_layers=1,
            mlp_ratio=1.0,
            text_embed_dim=WIDTH,
            text_embed_2_dim=GLYPH_WIDTH,
            image_embed_dim=WIDTH,
            rope_axes_dim=(2, 2, 4),
            target_size=64,
        ),
        "vae": diffusers.AutoencoderKLHunyuanVideo15(
            latent_channels=LATENTS,
            block_out_channels=(8, 8, 8, 8, 8),
            layers_per_block=1,
        ),
        "scheduler": parts.flow_scheduler(shift=5.0),
        "text_encoder_2": encoders.t5_encoder(GLYPH_WIDTH),
        "tokenizer_2": ByT5Tokenizer(),
        "guider": diffusers.ClassifierFreeGuidance(guidance_scale=6.0),
    }


def cogvideox(_folder: Path) -> Pipeline:
    """Return a CogVideoX text-to-video."""
    return diffusers.CogVideoXPipeline(**_cogvideox_parts(channels=LATENTS))


def cogvideox_from_image(_folder: Path) -> Pipeline:
    """Return a CogVideoX image-to-video."""
    return diffusers.CogVideoXImageToVideoPipeline(**_cogvideox_parts(channels=2 * LATENTS))


def _cogvideox_parts(*, channels: int) -> dict[str, Any]:
    return {
        "tokenizer": tokenizers.t5_tokenizer(),
        "text_encoder": encoders.t5_encoder(),
        "vae": diffusers.AutoencoderKLCogVideoX(
            block_out_channels=(4, 4, 4, 4),
            latent_channels=LATENTS,
            layers_per_block=1,
            norm_num_groups=2,
        ),
        "transformer": diffusers.CogVideoXTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=16,
            in_channels=channels,
            out_channels=LATENTS,
            time_embed_dim=4,
            text_embed_dim=WIDTH,
            num_layers=1,
            sample_width=12,
            sample_height=8,
            sample_frames=9,
            use_rotary_positional_embeddings=True,
        ),
        "scheduler": diffusers.CogVideoXDDIMScheduler(
            prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing"
        ),
    }


def stable_video(_folder: Path) -> Pipeline:
    """Return a Stable Video Diffusion: an image and no words."""
    return diffusers.StableVideoDiffusionPipeline(
        vae=diffusers.AutoencoderKLTemporalDecoder(
            block_out_channels=(32,) * 4,  # its decoder counts on 32 groups
            down_block_types=("DownEncoderBlock2D",) * 4,
            latent_channels=LATENTS,
        ),
        image_encoder=_clip_vision(CLIPVisionModelWithProjection, image_size=224, patch_size=56),
        unet=diffusers.UNetSpatioTemporalConditionModel(
            block_out_channels=(32, 32),
            down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
            up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
            addition_time_embed_dim=8,
            projection_class_embeddings_input_dim=24,
            layers_per_block=1,
            cross_attention_dim=WIDTH,
            num_attention_heads=(2, 2),
        ),
        scheduler=diffusers.EulerDiscreteScheduler(
            prediction_type="v_prediction",
            timestep_type="continuous",
            use_karras_sigmas=True,
            sigma_min=0.002,
            sigma_max=700.0,
        ),
        feature_extractor=CLIPImageProcessor(),
    )


def _clip_vision(kind: type, *, image_size: int = 32, patch_size: int = 16) -> parts.Part:
    return kind(
        CLIPVisionConfig(
            hidden_size=WIDTH,
            intermediate_size=WIDTH,
            projection_dim=WIDTH,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=image_size,
            patch_size=patch_size,
        )
    )


def animatediff(_folder: Path) -> Pipeline:
    """Return an AnimateDiff: Stable Diffusion 1.5 and a motion adapter."""
    return diffusers.AnimateDiffPipeline(
        vae=parts.autoencoder(),
        text_encoder=encoders.clip_encoder(),
        tokenizer=tokenizers.clip_tokenizer(),
        unet=parts.unet(cross_attention_width=WIDTH),
        motion_adapter=motion_adapter(),
        scheduler=diffusers.DDIMScheduler(
            beta_schedule="linear", clip_sample=False, timestep_spacing="linspace", steps_offset=1
        ),
    )


def motion_adapter() -> parts.Part:
    """Return what sets a Stable Diffusion 1.5 in motion."""
    return diffusers.MotionAdapter(
        block_out_channels=(8, 16),
        motion_layers_per_block=1,
        motion_num_attention_heads=2,
        motion_norm_num_groups=2,
        motion_max_seq_length=24,
    )


def mochi(_folder: Path) -> Pipeline:
    """Return a Mochi."""
    return diffusers.MochiPipeline(
        scheduler=parts.flow_scheduler(invert_sigmas=True),
        vae=diffusers.AutoencoderKLMochi(
            latent_channels=MOCHI_LATENTS,
            encoder_block_out_channels=(32, 32, 32, 32),
            decoder_block_out_channels=(32, 32, 32, 32),
            layers_per_block=(1, 1, 1, 1, 1),
            add_attention_block=(False,) * 5,
        ),
        text_encoder=encoders.t5_encoder(),
        tokenizer=tokenizers.t5_tokenizer(),
        transformer=diffusers.MochiTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=8,
            num_layers=2,
            pooled_projection_dim=16,
            in_channels=MOCHI_LATENTS,
            text_embed_dim=WIDTH,
            time_embed_dim=4,
            max_sequence_length=16,
        ),
    )


VIDEO_BUILDERS: dict[str, Builder] = {
    "wan-2.1-t2v-1.3b": wan_from_text,
    "wan-2.1-i2v-14b-480p": wan_from_image,
    "wan-2.2-t2v-a14b": wan_from_text_in_two_stages,
    "wan-2.2-i2v-a14b": wan_from_image_in_two_stages,
    "wan-2.2-ti2v-5b": wan_from_both,
    "ltx-video": ltx,
    "ltx-2": ltx_2,
    "hunyuanvideo-1.5-t2v": hunyuan_from_text,
    "hunyuanvideo-1.5-i2v": hunyuan_from_image,
    "cogvideox-5b": cogvideox,
    "cogvideox-5b-i2v": cogvideox_from_image,
    "svd-xt": stable_video,
    "animatediff": animatediff,
    "mochi-1": mochi,
}
"""The pipeline that stands for a catalogue id."""
