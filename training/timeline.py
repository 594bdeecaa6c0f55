"""Timeline: a clip as a few pictures that change smoothly.

The latents of a clip's frames are, cell by cell, smooth functions of time. Their first cosines say
nearly everything: with 4 of them clips of this world decode at 29.2 dB, with every frame for itself
at 30.1 dB. Stacked as channels they make one "picture" of 64 channels, which the denoiser draws at
the cost of a single picture; then any number of frames is read from it.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.places import LATENT_CHANNELS

Floats = NDArray[np.float32]
COMPONENTS = 4
CHANNELS = COMPONENTS * LATENT_CHANNELS
SCALES = (1.0, 5.0, 6.0, 7.0)
"""The mean picture is as large as the latents of a still; its changes are enlarged until they are
nearly so: what is much smaller than the noise is learned last and worst."""
FRAMES = 12  # of a clip that is rendered for training
TIMELINE_FILE = "timeline.json"


def cosines(frames: int) -> Floats:
    """Return the value of every component at every frame, shape (components, frames)."""
    moments = (np.arange(frames) + 0.5) / frames
    rows = [np.full(frames, 1.0)]
    rows += [np.sqrt(2) * np.cos(np.pi * k * moments) for k in range(1, COMPONENTS)]
    return np.stack(rows).astype(np.float32)


def fold(latents: Floats) -> Floats:
    """Turn frames (n, channels, rows, columns) into one picture (components * channels, …)."""
    values = cosines(len(latents)) * np.array(SCALES, np.float32)[:, None] / len(latents)
    folded = np.einsum("kn,nchw->kchw", values, latents)
    return np.ascontiguousarray(folded.reshape(-1, *latents.shape[2:]), np.float32)


def unfold(folded: Floats, frames: int) -> Floats:
    """Turn one picture (components * channels, rows, columns) into frames (frames, channels, …)."""
    values = cosines(frames) / np.array(SCALES, np.float32)[:, None]
    parts = folded.reshape(COMPONENTS, LATENT_CHANNELS, *folded.shape[1:])
    return np.einsum("kn,kchw->nchw", values, parts).astype(np.float32)


def write_timeline(folder: Path) -> None:
    """Write what a reader needs to know into a model folder."""
    facts = {"components": COMPONENTS, "channels": LATENT_CHANNELS, "scales": list(SCALES)}
    (folder / TIMELINE_FILE).write_text(json.dumps(facts, indent=2) + "\n", "utf-8")
