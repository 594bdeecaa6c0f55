"""Brush: the few anti-aliased shapes every picture is made of.

Coordinates are in units of the picture height, so one drawing has one look at every resolution.
"""

from collections.abc import Sequence

import numpy as np
import skia

from training.palettes import Color

Point = tuple[float, float]


class Brush:
    """A canvas of `width` x 1 units, painted from back to front.

    Args:
        moment: When in a clip, -0.5 at its beginning to 0.5 at its end; 0 for a still picture.
        wind: 1 or -1, where clouds, birds and boats go.
    """

    def __init__(
        self, width_px: int, height_px: int, *, moment: float = 0.0, wind: float = 1.0
    ) -> None:
        self.moment = moment
        self.wind = wind
        self.pixels = np.zeros((height_px, width_px, 4), np.uint8)
        self.surface = skia.Surface(self.pixels, colorType=skia.kRGBA_8888_ColorType)
        self.canvas = self.surface.getCanvas()
        self.canvas.scale(height_px, height_px)
        self.width = width_px / height_px

    def read(self) -> np.ndarray:
        """Return the picture, shape (height, width, 3), dtype uint8."""
        self.surface.flushAndSubmit()
        return np.array(self.pixels[..., :3])

    def fill(self, points: Sequence[Point], color: Color, *, alpha: float = 1.0) -> None:
        """Fill a polygon."""
        self.canvas.drawPath(trace(points), flat(color, alpha))

    def fade(
        self, points: Sequence[Point], span: tuple[float, float], colors: Sequence[Color]
    ) -> None:
        """Fill a polygon with a vertical gradient from y = span[0] to y = span[1]."""
        self.canvas.drawPath(trace(points), vertical(span, colors))

    def fade_box(self, box: tuple[float, float, float, float], colors: Sequence[Color]) -> None:
        """Fill left, top, right, bottom with a vertical gradient."""
        self.canvas.drawRect(skia.Rect(*box), vertical((box[1], box[3]), colors))

    def veil(self, span: tuple[float, float], color: Color, alphas: Sequence[float]) -> None:
        """Lay a translucent vertical gradient over the whole width: mist and haze."""
        stops = [to_argb(color, alpha) for alpha in alphas]
        shader = skia.GradientShader.MakeLinear([(0, span[0]), (0, span[1])], stops)
        box = skia.Rect(0, span[0], self.width, span[1])
        self.canvas.drawRect(box, skia.Paint(Shader=shader, AntiAlias=True))

    def disc(self, center: Point, radius: float, color: Color, *, alpha: float = 1.0) -> None:
        """Fill a circle."""
        self.canvas.drawCircle(*center, radius, flat(color, alpha))

    def oval(self, center: Point, radii: Point, color: Color) -> None:
        """Fill an ellipse."""
        (x, y), (a, b) = center, radii
        self.canvas.drawOval(skia.Rect(x - a, y - b, x + a, y + b), flat(color, 1.0))

    def bar(self, box: tuple[float, float, float, float], color: Color, alpha: float = 1.0) -> None:
        """Fill a bar with round ends."""
        radius = min(box[3] - box[1], box[2] - box[0]) / 2
        self.canvas.drawRoundRect(skia.Rect(*box), radius, radius, flat(color, alpha))

    def box(self, box: tuple[float, float, float, float], color: Color, alpha: float = 1.0) -> None:
        """Fill a rectangle."""
        self.canvas.drawRect(skia.Rect(*box), flat(color, alpha))

    def glow(self, center: Point, radius: float, color: Color, alpha: float) -> None:
        """Shine: a radial gradient from `color` to nothing."""
        stops = [to_argb(color, alpha), to_argb(color, alpha * 0.35), to_argb(color, 0.0)]
        shader = skia.GradientShader.MakeRadial(skia.Point(*center), radius, stops)
        self.canvas.drawPaint(skia.Paint(Shader=shader, AntiAlias=True))

    def stroke(self, points: Sequence[Point], width: float, color: Color, alpha: float) -> None:
        """Draw an open line with round ends."""
        paint = flat(color, alpha)
        paint.setStyle(skia.Paint.kStroke_Style)
        paint.setStrokeWidth(width)
        paint.setStrokeCap(skia.Paint.kRound_Cap)
        paint.setStrokeJoin(skia.Paint.kRound_Join)
        path = skia.PathBuilder()
        path.moveTo(*points[0])
        for point in points[1:]:
            path.lineTo(*point)
        self.canvas.drawPath(path.detach(), paint)

    def mirror(self, horizon: float, depth: float) -> None:
        """Repeat what is above `horizon` upside down below it, pressed to `depth` of its height."""
        self.surface.flushAndSubmit()
        image = skia.Image.fromarray(self.pixels.copy(), colorType=skia.kRGBA_8888_ColorType)
        self.canvas.save()
        self.canvas.clipRect(skia.Rect(0, horizon, self.width, 1), doAntiAlias=True)
        self.canvas.translate(0, horizon)
        self.canvas.scale(1, -depth)
        self.canvas.translate(0, -horizon)
        smooth = skia.SamplingOptions(skia.FilterMode.kLinear)
        self.canvas.drawImageRect(image, skia.Rect(0, 0, self.width, 1), smooth)
        self.canvas.restore()


def to_argb(color: Color, alpha: float) -> int:
    """Pack a colour for skia."""
    red, green, blue = (round(min(255.0, max(0.0, channel))) for channel in color)
    return int(skia.Color(red, green, blue, round(255 * alpha)))


def flat(color: Color, alpha: float) -> skia.Paint:
    """Return paint of one colour."""
    return skia.Paint(AntiAlias=True, Color=to_argb(color, alpha))


def vertical(span: tuple[float, float], colors: Sequence[Color]) -> skia.Paint:
    """Return paint with a vertical gradient."""
    stops = [to_argb(color, 1.0) for color in colors]
    shader = skia.GradientShader.MakeLinear([(0, span[0]), (0, span[1])], stops)
    return skia.Paint(Shader=shader, AntiAlias=True, Dither=True)


def trace(points: Sequence[Point]) -> skia.Path:
    """Return a closed polygon."""
    path = skia.PathBuilder()
    path.moveTo(*points[0])
    for point in points[1:]:
        path.lineTo(*point)
    path.close()
    return path.detach()
