"""Strategies: how a diagnosis becomes registered experiments."""
