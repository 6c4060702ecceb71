"""Estimates, tests and error rates on plain arrays: numpy and scipy only, nothing of ours."""
