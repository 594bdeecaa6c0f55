"""Which files of a hub repository are fetched: what a pipeline needs, and once only."""

import pytest

from gen_video.engines.weights import choose_files

SMALL = ["model_index.json", "scheduler/scheduler_config.json", "tokenizer/vocab.json"]


@pytest.mark.parametrize(
    ("weights", "variant", "fetched"),
    [
        (["unet/w.safetensors"], None, ["unet/w.safetensors"]),
        (["unet/w.safetensors"], "fp16", ["unet/w.safetensors"]),
        (["unet/w.safetensors", "unet/w.fp16.safetensors"], "fp16", ["unet/w.fp16.safetensors"]),
        (["unet/w.safetensors", "unet/w.fp16.safetensors"], None, ["unet/w.safetensors"]),
        (
            ["unet/w.fp16-00001-of-00002.safetensors", "unet/w-00001-of-00002.safetensors"],
            "fp16",
            ["unet/w.fp16-00001-of-00002.safetensors"],
        ),
        (
            ["unet/w.fp16-00001-of-00002.safetensors", "unet/w-00001-of-00002.safetensors"],
            None,
            ["unet/w-00001-of-00002.safetensors"],
        ),
        (
            ["unet/w.fp16.safetensors", "vae/w.safetensors"],
            "fp16",
            ["unet/w.fp16.safetensors", "vae/w.safetensors"],
        ),
    ],
)
def test_each_part_is_fetched_once(
    weights: list[str], variant: str | None, fetched: list[str]
) -> None:
    assert choose_files([*SMALL, *weights], variant) == [*SMALL, *fetched]


@pytest.mark.parametrize(
    "name",
    [
        "v1-5-pruned.safetensors",
        "unet/diffusion_pytorch_model.bin",
        "unet/model.onnx",
        "pipeline.py",
        "README.md",
        "images/example.png",
    ],
)
def test_nothing_else_is_fetched(name: str) -> None:
    assert choose_files([*SMALL, name], "fp16") == SMALL
