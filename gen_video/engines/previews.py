"""Previews: at which steps unfinished work is shown, and how large. Pure, no torch."""

LONGEST_SIDE = 256
"""Of a preview, in pixels."""
FIRST_STEP = 2
"""What a picture becomes is told by two steps; after the first there is noise and little else."""


def preview_steps(steps: int, previews: int) -> frozenset[int]:
    """Return the steps (from 1) after which a preview is due, spread evenly.

    The last one shows nothing that the finished picture does not show soon after, unless there
    is no other. Of few steps there are fewer previews than asked for.
    """
    if previews < 1 or steps < 1:
        return frozenset()
    last = max(steps - 1, 1)
    first = min(FIRST_STEP, last)
    return frozenset(
        min(max(round(number * steps / (previews + 1)), first), last)
        for number in range(1, previews + 1)
    )


def small_size(width: int, height: int) -> tuple[int, int]:
    """Return the size of a preview: the same shape, its longer side `LONGEST_SIDE`."""
    scale = LONGEST_SIDE / max(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))
