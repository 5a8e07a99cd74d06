"""Stored models: folders, cards, published checkpoints, conversion, what identifies a model."""
