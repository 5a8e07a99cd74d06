"""Video: packets lost, repeated, out of order, and any bytes in them."""

from __future__ import annotations

from pathlib import Path

from .entry import Entry, Run, plain_seeds
from .source import Source

MODULES = ('cooptrack_ros.wire.video', 'cooptrack_ros.sensors.video_headers', 'cooptrack_ros.sensors.video_decoding')
_SIZE = (64, 48)
_PACKETS = 12
_CODECS = ('h264', 'h265')


def prepare(folder: Path) -> Run:
    """Make good packets of both codecs."""
    import numpy as np
    from sensor_msgs.msg import CompressedImage

    from cooptrack_ros.common.errors import WireError
    from cooptrack_ros.data.bags.video import VideoEncoder
    from cooptrack_ros.wire.arrays import header_of
    from cooptrack_ros.wire.images import encode_jpeg
    from cooptrack_ros.wire.video import VideoStream

    def image(number: int) -> CompressedImage:
        pixels = np.full((_SIZE[1], _SIZE[0], 3), 20 * number, np.uint8)
        return encode_jpeg(pixels, header_of(10**18 + number * 10**8, 'camera'))

    encoders = [VideoEncoder(codec) for codec in _CODECS]
    good = [[encoder.packet(image(i)) for i in range(_PACKETS)] for encoder in encoders]

    def run(data: bytes) -> bool:
        source, stream, seen = Source(data), VideoStream(), 0
        packets = good[source.below(len(good))]
        at = 0
        for _ in range(source.below(_PACKETS) + 1):
            packet = packets[at % _PACKETS]
            kept = packet.data, packet.encoding, packet.pts
            kind = source.below(8)
            if kind == 1:
                at += source.below(4)
            elif kind == 2:
                packet.data = source.changed(bytes(packet.data))
            elif kind == 3:
                packet.encoding = source.text()
            elif kind == 4:
                packet.pts = source.integer(64)
            try:
                images = stream.take(packet, _SIZE if source.below(4) else None, is_late=kind == 5)
                assert all(found.pixels().shape[2] == 3 for found in images)
                seen += len(images)
            except WireError:
                pass
            finally:
                packet.data, packet.encoding, packet.pts = kept
            at += 1
        return seen > 0
    return run


ENTRY = Entry('video', MODULES, prepare, plain_seeds)
