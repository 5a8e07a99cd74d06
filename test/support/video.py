"""Small videos, as encoders of cameras make them, and the messages that they come in."""

from fractions import Fraction
from typing import NamedTuple

import numpy as np
from builtin_interfaces.msg import Time
from ffmpeg_image_transport_msgs.msg import FFMPEGPacket
from foxglove_msgs.msg import CompressedVideo

from cooptrack_ros.wire.arrays import header_of, set_stamp

SIZE = (64, 48)
FIRST_NS, STEP_NS = 1_700_000_000 * 10**9, 10**8
GROUP = 6
"""Images from one key frame to the next."""
_X265 = 'log-level=none:repeat-headers=1:pools=none:frame-threads=1:bframes={reordered}'


class Encoded(NamedTuple):
    """A packet: number of its image, whether it is a key frame, its bytes."""

    number: int
    is_key: bool
    data: bytes


def picture(number, size=SIZE):
    """Return an image (H, W, 3) uint8 that tells its number by its brightness, see ``number_of``."""
    image = np.full((size[1], size[0], 3), 30 + 10 * number, np.uint8)
    image[::7] += 20
    return image


def number_of(pixels):
    """Return which image it is."""
    return round((float(np.median(pixels[1:7])) - 30) / 10)


def encode(codec='h264', count=20, size=SIZE, reordered=0, group=GROUP):
    """Return the packets of a video; :param reordered: images that the encoder may send after later ones."""
    import av
    context = av.CodecContext.create({'h264': 'libx264', 'hevc': 'libx265'}[codec], 'w')
    context.width, context.height = size
    context.pix_fmt, context.time_base, context.gop_size = 'yuv420p', Fraction(1, 10), group
    context.thread_count, context.max_b_frames = 1, reordered
    context.options = {'preset': 'ultrafast', 'crf': '10', 'bf': str(reordered), 'x265-params': _X265.format(
        reordered=reordered)} | ({} if reordered else {'tune': 'zerolatency'})
    found = []
    for number in [*range(count), None]:
        frame = None
        if number is not None:
            frame = av.VideoFrame.from_ndarray(picture(number, size), format='bgr24')
            frame.pts = number
        found += [Encoded(p.pts, p.is_keyframe, bytes(p)) for p in context.encode(frame)]
    return found


def stamp_of(number):
    """Return the stamp of an image in nanoseconds."""
    return FIRST_NS + number * STEP_NS


def ffmpeg_packet(packet, encoding='libx264;yuv420p;bgr8;bgr8', frame_id='camera', stamp_ns=None):
    """Return a packet as ffmpeg_image_transport sends it."""
    return FFMPEGPacket(header=header_of(stamp_of(packet.number) if stamp_ns is None else stamp_ns, frame_id),
                        width=SIZE[0], height=SIZE[1], encoding=encoding, pts=packet.number, flags=int(packet.is_key),
                        data=packet.data)


def foxglove_video(packet, codec='h264', frame_id='camera', stamp_ns=None):
    """Return a packet as foxglove_compressed_video_transport sends it."""
    time = Time()
    set_stamp(time, stamp_of(packet.number) if stamp_ns is None else stamp_ns)
    return CompressedVideo(timestamp=time, frame_id=frame_id, format={'hevc': 'h265'}.get(codec, codec),
                           data=packet.data)
