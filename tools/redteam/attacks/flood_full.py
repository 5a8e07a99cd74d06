"""A unit sends 250 messages a second that claim to be of full size and hold nothing."""

from cooptrack_msgs.msg import InstanceFeatureArray
from cooptrack_ros.wire.topics import features_topic

from ..attack import LIAR, Attack, Shot

EMPTY = InstanceFeatureArray(version=InstanceFeatureArray.VERSION, unit_id=LIAR, count=900, feature_dim=1024)

ATTACK = Attack('one more unit, 250 messages a second that claim full size',
                between=lambda moment: [Shot(features_topic(LIAR), EMPTY)], between_hz=250)
