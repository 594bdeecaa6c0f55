"""A hosted script with the embedded model: real pictures, looked at."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.journeys.service import RunningService
from tests.sdk.conftest import SIDE, Script, parse

pytestmark = [pytest.mark.journey, pytest.mark.engine]

SEAM = 16
"""Pixels beside the edge of a mask where both pictures blend."""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[RunningService]:
    """Return a service with the small model that ships with it."""
    folder = tmp_path / "embedded"
    folder.mkdir()
    settings = {"DEFAULT_IMAGE_MODEL": "mini-turbo", "LEASE_SECONDS": "30"}
    with RunningService(folder, settings=settings) as running:
        yield running


def brightness(path: Path, left: int = 0, right: int = SIDE) -> float:
    """Return the mean brightness of a picture's columns, 0 to 255."""
    return float(np.asarray(Image.open(path).convert("L"))[:, left:right].mean())


def difference(first: Path, second: Path, left: int, right: int) -> float:
    """Return how far two pictures are apart in some columns, 0 to 255."""
    a, b = (
        np.asarray(Image.open(path).convert("RGB").resize((SIDE, SIDE)), dtype=float)[:, left:right]
        for path in (first, second)
    )
    return float(np.abs(a - b).mean())


def test_a_landscape_is_painted_previewed_and_repainted_by_night(script: Script) -> None:
    seen = parse(script.python(3, "embedded.py", str(script.folder)))

    noon, night, part = (script.folder / f"{name}.png" for name in ("noon", "night", "part"))
    middle = SIDE // 2
    assert seen["previews"] == 2
    assert brightness(noon) > 140
    # The last picture on the way shows the landscape that is coming, not the other one.
    preview = next(script.folder.glob("preview_2.*"))
    assert difference(preview, noon, 0, SIDE) < 25 < difference(preview, night, 0, SIDE)
    # The whole is darker by night; by the mask only its right half is.
    assert brightness(night) < brightness(noon) - 40
    assert difference(part, noon, 0, middle - SEAM) < 3
    assert brightness(part, middle + SEAM) < brightness(noon, middle + SEAM) - 40
