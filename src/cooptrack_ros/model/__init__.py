"""The CoopTrack network in plain PyTorch, block by block, and its arrangement for speed."""
