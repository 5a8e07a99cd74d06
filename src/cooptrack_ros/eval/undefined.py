"""Words that stand in tables and JSON where a figure does not exist; never NaN."""

ABSENT = 'class absent'
"""No object of the class is labelled in the frames that count."""
UNREACHED = 'recall never reached'
"""Objects of the class are labelled, but so few were found that nothing can be averaged."""
NONE_LABELLED = 'none labelled'
"""Objects of the class are labelled, but none that stands, moves or is seen in this way."""
NONE_FOUND = 'none found'
"""There are such objects, and none of them was found, or none with what is asked for, such as a velocity."""
NO_HEADING = 'vehicle heading not given'
"""The result file does not tell how the vehicle stands (``ego_yaw`` of its samples)."""
TOO_FEW = 'fewer than two'
"""A deviation needs the figure of two scenes, sets or seeds."""
