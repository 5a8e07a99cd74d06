"""Comparison with recorded outputs of the published model: ``python -m cooptrack_ros.parity GOLDEN_DIR``."""
