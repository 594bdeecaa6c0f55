"""Contact sheets: many pictures on one page.

`python -m training.sheet OUT.png` shows renders, to judge the world before training on it.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from PIL import Image


def paste_sheet(pictures: list[Image.Image], columns: int, gap: int = 4) -> Image.Image:
    """Lay pictures of one size out in rows."""
    width, height = pictures[0].size
    rows = -(-len(pictures) // columns)
    page = Image.new("RGB", (columns * (width + gap) - gap, rows * (height + gap) - gap), "white")
    for index, picture in enumerate(pictures):
        place = (index % columns * (width + gap), index // columns * (height + gap))
        page.paste(picture, place)
    return page


def main(
    out: Annotated[Path, typer.Argument(help="where the PNG goes")],
    count: Annotated[int, typer.Option(help="number of pictures")] = 48,
    first_seed: Annotated[int, typer.Option(help="seed of the first")] = 0,
    width: Annotated[int, typer.Option(help="pixels")] = 256,
    height: Annotated[int, typer.Option(help="pixels")] = 256,
) -> None:
    """Draw a contact sheet of renders."""
    from training.scene import render  # noqa: PLC0415 - skia is only needed here

    pictures = [
        Image.fromarray(np.asarray(render(first_seed + index, width, height)))
        for index in range(count)
    ]
    paste_sheet(pictures, columns=8).save(out)


if __name__ == "__main__":
    typer.run(main)
