"""Train the embedded model `models/mini`: renderer, captions, autoencoder, denoiser, export.

Nothing here is imported by the service. Stages run as `python -m training.<stage>`; see README.md.
"""
