"""The tray of previews that an engine has made and nobody has written down yet."""

from collections import deque

from gen_video.engines.tasks import SmallPicture
from gen_video.generation.models import NewPreview
from gen_video.media.previews import encode_preview

CHANNELS = 3
MOST_WAITING = 50
"""While the database is away the oldest make way."""


class PreviewTray:
    """Filled by the thread that runs a job, emptied by its heartbeat."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[SmallPicture, int, int]] = deque(maxlen=MOST_WAITING)
        self._encoded: list[NewPreview] = []

    def add(self, picture: SmallPicture, *, step: int, steps: int) -> None:
        """Put a preview in; one that is not whole is passed over."""
        if len(picture.rgb) == picture.width * picture.height * CHANNELS:
            self._waiting.append((picture, step, steps))

    def peek(self) -> list[NewPreview]:
        """Return all that wait, encoded, oldest first; they stay until they are dropped."""
        while self._waiting:
            picture, step, steps = self._waiting.popleft()
            small = encode_preview(picture.rgb, width=picture.width, height=picture.height)
            self._encoded.append(
                NewPreview(
                    step=step,
                    steps=steps,
                    mime=small.mime,
                    width=picture.width,
                    height=picture.height,
                    data=small.data,
                )
            )
        del self._encoded[:-MOST_WAITING]
        return list(self._encoded)

    def drop(self, count: int) -> None:
        """Forget the first ones, which are written down by now."""
        del self._encoded[:count]
