"""Trainable things: one training loop, its networks, its datasets, a file per workload."""
