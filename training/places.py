"""Places: where the stages keep their work, and the sizes the model is trained at."""

from pathlib import Path

CACHE = Path(__file__).parent / ".cache"
CODEC_FILE = Path(__file__).parent / "codec.npz"  # committed: the weights speak its language
LATENTS = CACHE / "latents"
DENOISER_FILE = CACHE / "denoiser.pt"
AUTOENCODER_FILE = CACHE / "autoencoder.pt"
MODEL = Path(__file__).parent.parent / "models" / "mini"

PATCH = 64  # pixels of the finished picture under one latent cell, per side
LATENT_CHANNELS = 16
# Native sizes, width and height in latent cells, and how often a batch has that shape.
BUCKETS: dict[tuple[int, int], float] = {
    (16, 16): 0.68,
    (16, 12): 0.08,
    (12, 16): 0.08,
    (16, 9): 0.08,
    (9, 16): 0.08,
}
HELD_OUT_SEED = 10_000_000  # seeds from here on are never trained on
