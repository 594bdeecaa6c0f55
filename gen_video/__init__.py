"""gen_video: a self-hosted image and video generation service on Hugging Face diffusers."""

__version__ = "0.1.0"
