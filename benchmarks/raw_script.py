"""The other side of P1 and P12: the plain diffusers script that somebody would write by hand.

Reads seeds from standard input, one a line, and answers each with the seconds that drawing and
saving the PNG took. The first line says that the pipeline is loaded.
"""

import sys
import time
from pathlib import Path

import torch
from diffusers import DiffusionPipeline


def main() -> None:
    """Draw pictures until the input ends."""
    model, prompt, side, steps, guidance, folder = sys.argv[1:7]
    pipeline = DiffusionPipeline.from_pretrained(model, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    print("loaded", flush=True)
    for line in sys.stdin:
        started = time.perf_counter()
        picture = pipeline(
            prompt=prompt,
            width=int(side),
            height=int(side),
            num_inference_steps=int(steps),
            guidance_scale=float(guidance),
            generator=torch.Generator().manual_seed(int(line)),
        ).images[0]
        picture.save(Path(folder) / f"{int(line)}.png", compress_level=1)
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    main()
