"""Fixtures of the short fuzz tests; the long campaigns are ``make fuzz``."""

import os
import sys
from pathlib import Path

os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
_ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_ROOT / 'tools'), str(_ROOT / 'test/node')]
