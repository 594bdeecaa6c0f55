"""Gallery stage: the contact sheet of the documents, one picture for each of 48 prompts.

`python -m training.gallery` draws every prompt once, with the seed of its place: nothing is chosen.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from PIL import Image
from tqdm import tqdm

from training.painter import Painter
from training.places import MODEL
from training.sheet import paste_sheet

PROMPTS = (
    "一个美丽的风景",
    "雪山下的湖，日落",
    "大海，日落，帆船",
    "夜晚的城市，圆月",
    "森林，清晨，薄雾",
    "沙漠，星空",
    "水墨山水，红日",
    "春天的樱花，小屋",
    "a beautiful landscape",
    "snow mountains at night, full moon",
    "a calm lake at dawn",
    "autumn forest, red leaves",
    "desert dunes at sunset",
    "a city at noon",
    "the ocean at noon, a sailboat, white clouds",
    "green hills with a house, daytime",
    "秋天的山，红叶",
    "下雨的城市，夜晚",
    "下雪的雪山，松树",
    "海边，正午，海鸥",
    "星空下的大海，小船",
    "草原，清晨，房子",
    "湖边的树，黄昏",
    "大雾中的山",
    "ink painting of mountains, mist",
    "chinese ink painting, a lonely boat on a lake",
    "a starry night over the mountains",
    "sunrise over the sea",
    "a forest in winter, falling snow",
    "cherry blossoms on the hills, spring morning",
    "purple sunset over mountains",
    "a village house under a crescent moon",
    "冬天的森林，夜晚",
    "金色的沙漠，日落",
    "蓝色的湖，雪山，白天",
    "粉色的清晨，大海",
    "水墨画，大海，孤舟",
    "城市天际线，黄昏",
    "山谷里的小木屋，夜晚",
    "丘陵，下雨",
    "rain over the sea",
    "pine trees in front of snow mountains, daytime",
    "skyscrapers at night, stars",
    "a river in autumn, evening",
    "red sunset over the desert",
    "foggy lake, early morning",
    "flying birds over the hills at dawn",
    "a lighthouse keeper and his cat",
)
SIDE = 192
BATCH = 8


def main(
    out: Annotated[Path, typer.Argument(help="where the sheet goes")],
    folder: Annotated[Path, typer.Option(help="exported model")] = MODEL,
    steps: Annotated[int, typer.Option(help="sampling steps")] = 40,
    guidance_scale: Annotated[float, typer.Option(help="guidance")] = 4.0,
    threads: Annotated[int, typer.Option(help="CPU threads")] = 1,
) -> None:
    """Draw the sheet; the last prompt asks for what the model does not know."""
    torch.set_num_threads(threads)
    painter = Painter(folder, steps=steps, guidance_scale=guidance_scale)
    pictures = [
        Image.fromarray((picture * 255).round().astype(np.uint8)).resize((SIDE, SIDE))
        for start in tqdm(range(0, len(PROMPTS), BATCH))
        for picture in painter.draw(PROMPTS[start : start + BATCH], start)
    ]
    paste_sheet(pictures, columns=8).save(out, quality=85)


if __name__ == "__main__":
    typer.run(main)
