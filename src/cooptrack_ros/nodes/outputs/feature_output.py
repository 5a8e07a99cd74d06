"""Composes what a roadside unit sends: sessions, numbers and public identities."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cooptrack_msgs.msg import InstanceFeatureArray

from ...common.types import FrameOutput, Side
from ...weights.store import ModelPackage
from ...wire.features import FeatureMeta, encode_instances, sendable
from ...wire.public_tracks import PublicTracks
from ...wire.views import Views
from ..settings import RoadsideSettings


class FeatureOutput:
    """Turns what the tracker of a unit says into messages, one after the other."""

    def __init__(self, package: ModelPackage, tracks: PublicTracks, new_session: Callable[[], int]):
        """
        Start a session.

        :param tracks: gives instances the identities of the unit's tracks; :param new_session: returns its number.
        """
        self._model_id, self._pc_range = package.model_id(Side.ROADSIDE), package.config.infra_range.pc_range
        self._tracks, self._new_session = tracks, new_session
        self._session, self._sequence = new_session(), 0

    def compose(self, output: FrameOutput, stamp_ns: int, views: Views,
                settings: RoadsideSettings) -> tuple[InstanceFeatureArray, int]:
        """Return the message of a frame, and how many instances were left out because they are not plausible."""
        if output.reset and self._sequence:
            # Identities start again, so numbers of another session must not be mistaken for these.
            self._session, self._sequence = self._new_session(), 0
        self._tracks.observe(output.instances.boxes, stamp_ns, output.reset)
        instances, num_implausible = sendable(output.instances, settings.features__max_instances)
        instances = replace(instances, boxes=self._tracks.public(instances.boxes))
        meta = FeatureMeta(
            settings.unit_id, self._session, self._sequence, self._model_id, stamp_ns, views.lidar_frame,
            settings.map_frame, views.base_from_lidar, self._pc_range, settings.features__encoding,
            settings.features__compact)
        message = encode_instances(instances, meta)
        message.pose.covariance = views.base_covariance.reshape(36)
        self._sequence += 1
        return message, num_implausible
