"""What the tests of launch files share with those of nodes."""

import os
import sys
from pathlib import Path

os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
sys.path.insert(0, str(Path(__file__).parents[1] / 'node'))
