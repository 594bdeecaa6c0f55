"""The OpenAI face: what unmodified OpenAI clients call, over the same services as the seed's."""

PREFIX = "/v1"
