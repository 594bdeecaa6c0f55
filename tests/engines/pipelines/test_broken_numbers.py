"""Weights that compute no numbers end in an error, never in a black picture."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from gen_video.engines.errors import EngineFailedError
from tests.engines.pipelines.conftest import FolderOf
from tests.engines.pipelines.studio import Studio, local_spec

pytestmark = pytest.mark.engine


def spoil(folder: Path) -> None:
    """Make one weight of the denoiser infinite."""
    (path,) = (folder / "unet").glob("*.safetensors")
    weights = load_file(path)
    weights["conv_out.bias"] = torch.full_like(weights["conv_out.bias"], float("inf"))
    save_file(weights, path, metadata={"format": "pt"})


def test_a_picture_of_no_numbers_is_an_error(folder_of: FolderOf, tmp_path: Path) -> None:
    folder = shutil.copytree(folder_of("sdxl"), tmp_path / "model")
    spoil(folder)

    with pytest.raises(EngineFailedError, match="NaN"):
        Studio(local_spec("sdxl", folder)).draw()
