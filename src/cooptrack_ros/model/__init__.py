"""The CoopTrack network in plain PyTorch, and its weights."""
