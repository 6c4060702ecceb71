"""The study's loop: registered, replayed, trained, decided, told."""
