"""Worlds: which prompts ask a small model for something that it has never seen."""

from pathlib import Path

import pytest

from gen_video.engines.worlds import World, load_world
from tests.house.project import PROJECT


@pytest.fixture(scope="module")
def world() -> World:
    """Return the world of the embedded model."""
    return load_world(PROJECT / "models" / "mini" / "world.json")


@pytest.mark.parametrize(
    "prompt",
    [
        "一个美丽的风景",
        "雪山下的湖，日落",
        "水墨山水，红日",
        "春天的樱花，小屋",
        "蓝天白云",
        "桂林山水",
        "a warm sunset over the sea, a small boat",
        "sailing boats on a LAKE",
        "a woman at the beach at sunset",
        "赛博朋克城市夜景",
        "",
        "!!! 123?",
        "please draw me a picture",
    ],
)
def test_a_prompt_of_this_world_is_not_far(world: World, prompt: str) -> None:
    assert not world.is_far(prompt)


@pytest.mark.parametrize(
    "prompt",
    [
        "一只可爱的猫在沙发上",
        "一辆红色跑车",
        "一个穿红裙子的女孩",
        "人像摄影",
        "龙",
        "埃菲尔铁塔",
        "a cat on a sofa",
        "a portrait of an astronaut, photorealistic",
        "logo design",
        "Москва",
        "ネコ",
    ],
)
def test_a_prompt_about_something_else_is_far(world: World, prompt: str) -> None:
    assert world.is_far(prompt)


@pytest.mark.parametrize("text", ["[]", "{}", '{"words": 1}', "no json"])
def test_a_file_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "world.json"
    path.write_text(text)

    with pytest.raises(ValueError, match=r"."):
        load_world(path)
