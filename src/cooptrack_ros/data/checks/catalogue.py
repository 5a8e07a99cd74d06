"""All rules about data, those first that explain others."""

from . import (
    below_ground,
    camera_turned,
    distant_pair,
    empty_split,
    half_turn,
    labels_outside_image,
    missing_image,
    repeated_identity,
    time_goes_back,
    unlikely_calibration,
    unreadable_calibration,
    unreadable_labels,
)

RULES = tuple(module.RULE for module in (
    unreadable_calibration, unreadable_labels, missing_image, unlikely_calibration, labels_outside_image, below_ground,
    half_turn, repeated_identity, time_goes_back, empty_split, distant_pair, camera_turned))
