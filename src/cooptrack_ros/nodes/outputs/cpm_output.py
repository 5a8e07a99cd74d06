"""Publishes the tracks of a roadside unit as Collective Perception Messages, for vehicles of others."""

from __future__ import annotations

from importlib.util import find_spec

from rclpy.node import Node
from rclpy.publisher import Publisher

from cooptrack_msgs.msg import TrackArray

from ...tracking.track_history import TurnRates
from ...wire.arrays import stamp_ns
from ...wire.topics import CPM, FOREIGN_PACKAGES, unit_topic
from ...wire.tracks import tracks_in_map
from ..inputs.foreign_receiver import install_advice
from ..qos import OUTPUT
from ..settings import RoadsideSettings


class CpmOutput:
    """Converts only while somebody subscribes; without the package there is no topic, and one line in the log."""

    def __init__(self, node: Node, settings: RoadsideSettings):
        """
        Create the publisher, if it is wanted and its type is there.

        :raises UserError: if it is wanted and nothing says where the map is.
        """
        self._publisher: Publisher | None = None
        self._station_id, self._rates = settings.cpm__station_id, TurnRates()
        if not self._station_id:
            return
        self._place = settings.map_place()
        topic, package = unit_topic(settings.unit_id, CPM), FOREIGN_PACKAGES[CPM]
        if find_spec(package) is None:
            node.get_logger().warning(f'{package} is not installed: nothing is published on {topic}. To do: '
                                      f'{install_advice(package)}')
            return
        from etsi_its_cpm_ts_msgs.msg import CollectivePerceptionMessage
        self._publisher = node.create_publisher(CollectivePerceptionMessage, topic, OUTPUT)

    def publish(self, tracks: TrackArray, max_objects: int) -> None:
        """
        Publish the tracks of a frame to those who listen; takes every frame, to know how they turn.

        :param max_objects: the best by score.
        """
        if self._publisher is None:
            return
        self._rates.observe(tracks_in_map(tracks), stamp_ns(tracks.header.stamp), tracks.reset)
        if self._publisher.get_subscription_count() == 0:
            return
        from ...wire.cpm import to_cpm
        self._publisher.publish(to_cpm(tracks, self._place, self._station_id, self._rates.rates(), max_objects))
