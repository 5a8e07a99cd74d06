"""Pretraining of the point cloud encoder without labels (CooPre): hide cells, and rebuild what was in them."""
