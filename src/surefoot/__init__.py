"""Surefoot: from a model's baseline to its target by verified steps."""
