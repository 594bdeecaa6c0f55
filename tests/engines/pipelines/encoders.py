"""Text encoders with random weights, a few kilobytes each."""

from typing import Any, TypeAlias

from diffusers.pipelines.kolors.text_encoder import ChatGLMConfig, ChatGLMModel
from torch import nn
from transformers import (
    BertConfig,
    BertModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3Config,
    Qwen3ForCausalLM,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
    UMT5Config,
    UMT5EncoderModel,
)

TextEncoder: TypeAlias = Any

WIDTH = 16
VOCABULARY = 520
LAYERS_THAT_KLEIN_READS = 27


def clip_encoder(*, has_projection: bool = False) -> TextEncoder:
    """Return a CLIP text model; its states and its projection are `WIDTH` wide."""
    config = CLIPTextConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        bos_token_id=512,
        eos_token_id=513,
    )
    return CLIPTextModelWithProjection(config) if has_projection else CLIPTextModel(config)


def t5_encoder(width: int = WIDTH) -> TextEncoder:
    """Return a T5 encoder."""
    config = T5Config(
        vocab_size=VOCABULARY, d_model=width, d_kv=8, d_ff=width, num_layers=1, num_heads=2
    )
    return T5EncoderModel(config)


def bert_encoder(width: int) -> TextEncoder:
    """Return a BERT model."""
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=width,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    return BertModel(config)


def qwen3_model() -> TextEncoder:
    """Return a Qwen3 model without a head."""
    return Qwen3Model(_qwen3_config(layers=2))


def qwen3_causal_model() -> TextEncoder:
    """Return a Qwen3 model as deep as FLUX.2 klein needs: it reads states of three layers."""
    return Qwen3ForCausalLM(_qwen3_config(layers=LAYERS_THAT_KLEIN_READS))


def _qwen3_config(*, layers: int) -> Qwen3Config:
    return Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=WIDTH,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
    )


def qwen_vl_model() -> TextEncoder:
    """Return a Qwen2.5-VL model."""
    text = {
        "vocab_size": VOCABULARY,
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
        "rope_theta": 1_000_000.0,
    }
    vision = {
        "depth": 1,
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_heads": 2,
        "out_hidden_size": WIDTH,
    }
    return Qwen2_5_VLForConditionalGeneration(
        Qwen2_5_VLConfig(text_config=text, vision_config=vision)
    )


def chatglm_model() -> TextEncoder:
    """Return a ChatGLM model."""
    config = ChatGLMConfig(
        num_layers=2,
        padded_vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        ffn_hidden_size=WIDTH,
        kv_channels=8,
        num_attention_heads=2,
        multi_query_attention=True,
        multi_query_group_num=1,
        seq_length=256,
        add_qkv_bias=True,
        original_rope=True,
    )
    model = ChatGLMModel(config)
    for weights in model.parameters():  # the constructor leaves them as the memory was
        if weights.ndim > 1:
            nn.init.normal_(weights, std=0.1)
        else:
            nn.init.ones_(weights)
    return model


def umt5_encoder() -> TextEncoder:
    """Return a UMT5 encoder."""
    config = UMT5Config(
        vocab_size=VOCABULARY, d_model=WIDTH, d_kv=8, d_ff=WIDTH, num_layers=1, num_heads=2
    )
    return UMT5EncoderModel(config)
