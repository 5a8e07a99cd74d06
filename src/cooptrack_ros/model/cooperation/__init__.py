"""Received instances: alignment to the ego frame, association, aggregation."""
