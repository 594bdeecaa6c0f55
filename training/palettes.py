"""Palettes: the hand-picked colours of every time of day, and how seasons and rain change them.

A palette is named by its tone, a word that captions use. Nights are deep, never black.
"""

from dataclasses import dataclass, replace

Color = tuple[float, float, float]

SUN, MOON = (255, 246, 200), (252, 244, 210)


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """Colours of one picture; red, green and blue from 0 to 255."""

    sky: tuple[Color, Color, Color]  # zenith, middle, horizon
    far: Color
    near: Color
    ground: Color
    water: tuple[Color, Color]  # near the viewer, at the horizon
    light: Color  # sun or moon
    accent: Color  # roofs and sails


def parse_color(code: str) -> Color:
    """Read `rrggbb`."""
    return (float(int(code[0:2], 16)), float(int(code[2:4], 16)), float(int(code[4:6], 16)))


def mix(first: Color, second: Color, share: float) -> Color:
    """Blend two colours; `share` is the part of the second."""
    a, b, c = (x + (y - x) * share for x, y in zip(first, second, strict=True))
    return (a, b, c)


def read_palette(row: str) -> Palette:
    """Read one row of the tables below: sky x3, far, near, ground, water x2, light, accent."""
    colors = [parse_color(code) for code in row.split()]
    return Palette(
        sky=(colors[0], colors[1], colors[2]),
        far=colors[3],
        near=colors[4],
        ground=colors[5],
        water=(colors[6], colors[7]),
        light=colors[8],
        accent=colors[9],
    )


PALETTES: dict[str, dict[str, Palette]] = {
    time: {tone: read_palette(row) for tone, row in rows.items()}
    for time, rows in {
        "dawn": {
            "pink": "b9a8dc f4bcc6 ffe6cc d9b4c0 6a6f86 9aa184 b79ac0 f6d2c8 ff9878 d8584c",
            "orange": "e9a98c f9d0a8 fff0d2 e6bfa4 6f7c78 a3a172 c99a8c f9dcbc ff8f60 cf5240",
            "purple": "8a8ace c6b2e2 fddcd6 b9aed4 5a5f8c 8c91a0 8c88c2 e2c8e0 fff0c0 e07858",
            "gold": "9cc6cc dcdcc4 ffe8b8 c6c8b4 5f7c70 9ca870 88b0b0 f0e0bc fff2b4 d8603c",
        },
        "day": {
            "blue": "3a96e8 8ac8f6 e2f3fc 9cc6dc 3c7c66 6fb05a 2f86c8 9ad2ee fff6c8 e05038",
            "turquoise": "52c2c4 a2e0d6 ecf8e8 a4d4c4 34887a 78bc66 3aa8ac b0e6da fff4c4 e8643c",
            "bright": "64b8f0 b4def4 fff2d4 b4cdd2 4f8c62 a2c45c 4aa4da c0e4f0 ffe690 e84c3c",
            "green": "7ccab4 c2e8c8 f6f6d4 acd4b0 38805c 86bc52 5cb0a0 c8ead0 fff6cc d85c3c",
        },
        "sunset": {
            "orange": "d44e2c f78c3c ffd680 d87c48 4c2638 643a30 b4522f ffb868 fff2b4 8c2430",
            "red": "8c1f40 dc4a3e ffa860 c45848 3c1a34 54283a 9c3040 ff9868 ffe8a8 701828",
            "purple": "4c2c78 c44c80 ffa864 9c4878 2c1c48 40284c 7c3a78 f89480 ffeab0 7c2040",
            "gold": "cc7c30 f2b44c ffeca8 d09c58 5c4028 7c5c30 b8843c ffdc90 fffad0 983c24",
        },
        "night": {
            "blue": "0c1c50 1e3e88 4470bc 2c5098 0c183c 14244c 12286c 3060b0 fcf4d2 70304c",
            "purple": "1e1248 44287c 7c52b4 5c409c 1c103c 2a1a4c 2c1c6c 6c48ac fcf2d0 6c2850",
            "teal": "062e40 10566a 34909a 246c7c 062430 0c343c 0a4454 2c8490 f8f6d4 6c3840",
            "grey": "18223a 34425f 64789c 44567a 141c2e 20293c 202e4c 50688e f6f2de 603444",
        },
    }.items()
}

# One paper per time of day: washes of ink, and a red sun when it is low.
INK_PALETTES: dict[str, Palette] = {
    "dawn": read_palette("ece0dc f0e6de f6eee2 c8c0bc 4c4a4c 8c8684 a8a4a2 e2dad2 d8604c b8382c"),
    "day": read_palette("f2ece0 f3eee2 f6f2e8 c6c6c2 3c4042 8a8c8a b4b6b4 e6e4da e8d8b4 b03428"),
    "sunset": read_palette("e8d2ae eedcbc f4e6cc c4b298 40382f 8a7a66 b0a088 e4d2b4 c8301e a82c20"),
    "night": read_palette("3c4450 525c68 78828c 606a76 1c2228 343c44 3a444e 6a7680 f0ecdc 8c3028"),
}

LEAVES = {
    "spring": (245, 160, 190),  # blossom
    "summer": (72, 150, 74),
    "autumn": (226, 110, 36),
    "winter": (214, 228, 240),
}
GRASS = {
    "spring": (146, 198, 96),
    "summer": (106, 172, 84),
    "autumn": (206, 150, 66),
    "winter": (236, 242, 250),
}
# How much of its own colour a leaf keeps in this light.
KEEP = {"dawn": 0.62, "day": 0.9, "sunset": 0.58, "night": 0.32}


def tint_season(color: Color, season: str, time: str, table: dict[str, Color]) -> Color:
    """Return the colour of leaves or grass in this season and light."""
    keep = KEEP[time] if season != "summer" else KEEP[time] * 0.6
    return mix(color, table[season], keep)


def dim_for_rain(palette: Palette, time: str) -> Palette:
    """Grey a palette, keeping its brightness close to the time of day."""
    grey: Color = (64.0, 74.0, 96.0) if time == "night" else (168.0, 176.0, 192.0)
    upper, middle, lower = (mix(color, grey, 0.55) for color in palette.sky)
    return replace(
        palette,
        sky=(upper, middle, lower),
        far=mix(palette.far, grey, 0.45),
        near=mix(palette.near, grey, 0.15),
        ground=mix(palette.ground, grey, 0.2),
        water=(mix(palette.water[0], grey, 0.4), mix(palette.water[1], grey, 0.5)),
    )
