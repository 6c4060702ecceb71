"""What people write: plans and sweeps read from YAML, ours and W&B's, every mistake named by its line."""
