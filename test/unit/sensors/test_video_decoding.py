"""Video is decoded in order, begins with a key frame, and no image is made from what is missing."""

import numpy as np
import pytest
from support.video import GROUP, SIZE, encode, number_of

from cooptrack_ros.common.errors import UserError, WireError
from cooptrack_ros.sensors import video_decoding
from cooptrack_ros.sensors.video_decoding import VideoDecoder, VideoPacket, check_video_decoder
from cooptrack_ros.sensors.video_headers import H264Headers, H265Headers

pytest.importorskip('av', reason='PyAV is not installed: pip install av')
CODECS = ('h264', 'hevc')


@pytest.fixture(scope='module')
def videos():
    """Return a video of each codec."""
    return {codec: encode(codec) for codec in CODECS}


def feed(decoder, codec, packets, numbered=True, size=SIZE):
    """Return [(label, number in the picture)] of all images, and the reasons of all that was dropped."""
    seen, dropped = [], []
    for packet in packets:
        try:
            images = decoder.decode(VideoPacket(codec, packet.data, packet.number if numbered else None, packet.number),
                                    size)
        except WireError as error:
            dropped.append(error.reason)
            continue
        seen += [(image.label, number_of(image.pixels())) for image in images]
    return seen, dropped


@pytest.mark.parametrize('codec', CODECS)
def test_every_packet_becomes_its_image_at_once(videos, codec):
    decoder = VideoDecoder()
    for packet in videos[codec]:
        image, = decoder.decode(VideoPacket(codec, packet.data, None, packet.number), SIZE)
        assert image.label == packet.number == number_of(image.pixels()) and image.size == SIZE
    assert (decoder.lost, decoder.delay) == (0, 0)


@pytest.mark.parametrize('numbered', [True, False])
@pytest.mark.parametrize('codec', CODECS)
def test_images_begin_with_the_first_key_frame(videos, codec, numbered):
    seen, dropped = feed(VideoDecoder(), codec, videos[codec][2:], numbered)
    assert seen == [(n, n) for n in range(GROUP, 20)]
    assert dropped == ['no_key_frame'] * (GROUP - 2)


@pytest.mark.parametrize('numbered', [True, False])
@pytest.mark.parametrize('codec', CODECS)
def test_after_a_loss_images_wait_for_the_next_key_frame(videos, codec, numbered):
    decoder, packets = VideoDecoder(), list(videos[codec])
    del packets[8:10]
    seen, dropped = feed(decoder, codec, packets, numbered)
    assert seen == [(n, n) for n in range(20) if not 8 <= n < 12]
    reason = 'lost_packets' if numbered or codec == 'h264' else 'unreadable_image'
    assert dropped == [reason, 'no_key_frame']
    # Without numbers H.265 only tells that something is missing.
    assert decoder.lost == (2 if numbered or codec == 'h264' else 1)


@pytest.mark.parametrize('codec', CODECS)
def test_a_lost_key_frame_is_noticed_and_one_that_follows_ends_the_wait(videos, codec):
    packets = [p for p in videos[codec] if p.number != GROUP]
    seen, dropped = feed(VideoDecoder(), codec, packets)
    assert seen == [(n, n) for n in range(20) if not GROUP <= n < 2 * GROUP]
    assert dropped == ['lost_packets'] + ['no_key_frame'] * (GROUP - 2)


@pytest.mark.parametrize('codec', CODECS)
def test_what_is_lost_before_a_key_frame_costs_nothing_more(videos, codec):
    decoder = VideoDecoder()
    seen, dropped = feed(decoder, codec, [p for p in videos[codec] if p.number not in (GROUP - 2, GROUP - 1)])
    assert [n for n, _ in seen] == [n for n in range(20) if n not in (GROUP - 2, GROUP - 1)]
    assert (dropped, decoder.lost) == ([], 2)


@pytest.mark.parametrize('codec', CODECS)
def test_numbers_that_are_times_tell_no_loss(videos, codec):
    decoder = VideoDecoder()
    for packet in videos[codec]:
        time = packet.number * 33_333_333 * (2 if packet.number > 9 else 1)
        assert decoder.decode(VideoPacket(codec, packet.data, time, packet.number), SIZE)
    assert decoder.lost == 0


@pytest.mark.parametrize('codec', CODECS)
def test_reordered_images_keep_their_own_labels_and_the_delay_is_known(codec):
    packets = encode(codec, reordered=2)
    assert [p.number for p in packets] != sorted(p.number for p in packets)
    decoder = VideoDecoder()
    seen, dropped = feed(decoder, codec, packets)
    assert decoder.delay >= 1
    seen += [(image.label, number_of(image.pixels())) for image in decoder.end()]
    assert seen == [(n, n) for n in range(20)] and not dropped


@pytest.mark.parametrize('codec', CODECS)
@pytest.mark.parametrize('garbage', [b'', b'\0\0\1', b'no video', b'\0\0\1\x67', bytes(99), b'\0\0\1\x09\x10' * 2000])
def test_garbage_is_refused_and_the_stream_goes_on_with_a_key_frame(videos, codec, garbage):
    decoder, packets = VideoDecoder(), videos[codec]
    feed(decoder, codec, packets[:3])
    with pytest.raises(WireError) as error:
        decoder.decode(VideoPacket(codec, garbage, None, None), SIZE)
    assert error.value.reason == 'unreadable_image'
    seen, _ = feed(decoder, codec, packets[3:])
    assert seen == [(n, n) for n in range(GROUP, 20)]


@pytest.mark.parametrize('codec', CODECS)
def test_a_packet_that_is_cut_short_spoils_no_image(videos, codec):
    packets = list(videos[codec])
    # Of a block or two both decoders believe anything.
    packets[8] = packets[8]._replace(data=packets[8].data[:12])
    seen, dropped = feed(VideoDecoder(), codec, packets)
    assert seen == [(n, n) for n in range(20) if not 8 <= n < 12]
    assert dropped == ['unreadable_image'] + ['no_key_frame'] * 3


@pytest.mark.parametrize('codec', CODECS)
def test_random_damage_never_raises_anything_else(videos, codec):
    rng, decoder = np.random.default_rng(0), VideoDecoder()
    for _ in range(20):
        packets = []
        for packet in videos[codec]:
            data = bytearray(packet.data)
            for _ in range(rng.integers(0, 3)):
                data[rng.integers(0, len(data))] = rng.integers(0, 256)
            packets.append(packet._replace(data=bytes(data)))
        feed(decoder, codec, packets)


@pytest.mark.parametrize('codec', CODECS)
def test_another_size_is_refused_before_it_is_decoded_and_taken_when_the_camera_is_that(videos, codec):
    decoder, larger = VideoDecoder(), encode(codec, count=8, size=(96, 80))
    feed(decoder, codec, videos[codec][:3])
    _, dropped = feed(decoder, codec, larger[:GROUP])
    assert dropped == ['wrong_size'] + ['no_key_frame'] * (GROUP - 1)
    seen, dropped = feed(decoder, codec, larger[GROUP:], size=(96, 80))
    assert seen == [(6, 6), (7, 7)] and not dropped


@pytest.mark.parametrize('codec', CODECS)
def test_parameters_in_a_packet_of_their_own_belong_to_the_next_image(videos, codec):
    first = videos[codec][0].data
    image = first.rfind(b'\0\0\1')
    decoder = VideoDecoder()
    assert decoder.decode(VideoPacket(codec, first[:image], None, 'parameters'), SIZE) == []
    found, = decoder.decode(VideoPacket(codec, first[image:], None, 'image'), SIZE)
    assert (found.label, number_of(found.pixels())) == ('image', 0)


def bits(text):
    """Return bytes of binary digits."""
    text = text.replace(' ', '') + '1'
    return int(text + '0' * (-len(text) % 8), 2).to_bytes((len(text) + 7) // 8, 'big')


def number(value):
    """Return the digits of a number of parameters."""
    digits = f'{value + 1:b}'
    return '0' * (len(digits) - 1) + digits


def h264_parameters(columns, rows, crop=(0, 0, 0, 0)):
    """Return parameters of so many blocks of 16; :param crop: steps of two pixels that are cut off."""
    return b'\0\0\0\1\x67\x42\0\x1e' + bits(''.join((
        number(0), number(0), number(2), number(1), '0', number(columns - 1), number(rows - 1), '1', '1', '1',
        *map(number, crop), '0')))


def h265_parameters(width, height):
    """Return parameters of an image in 4:2:0."""
    return b'\0\0\0\1\x42\1' + bits('0000 000 1' + '01' * 48 + ''.join(map(number, (0, 1, width, height))) + '0')


@pytest.mark.parametrize(('codec', 'data'), [
    ('h264', h264_parameters(1024, 1024)), ('h264', h264_parameters(1024, 1024, (0, 8160, 0, 8168))),
    ('h264', h264_parameters(12, 3, (0, 64, 0, 0))), ('hevc', h265_parameters(16384, 16384))])
@pytest.mark.parametrize('size', [None, SIZE])
def test_huge_images_are_refused_by_what_they_announce(videos, codec, data, size):
    decoder = VideoDecoder()
    with pytest.raises(WireError) as error:
        decoder.decode(VideoPacket(codec, data + videos[codec][0].data, None, None), size)
    assert error.value.reason == 'wrong_size'


@pytest.mark.parametrize('codec', CODECS)
@pytest.mark.parametrize('size', [(64, 48), (70, 50), (130, 34)])
def test_headers_tell_sizes_and_key_frames(codec, size):
    headers = {'h264': H264Headers, 'hevc': H265Headers}[codec]()
    for packet in encode(codec, count=8, size=size):
        facts = headers.read(packet.data)
        assert (facts.is_key, facts.has_image, facts.lost) == (packet.is_key, True, 0)
        assert [s[:2] for s in facts.sizes] == [size] * packet.is_key


def test_packets_that_are_late_wait_for_a_key_frame(videos):
    decoder, packets = VideoDecoder(), videos['h264']
    for packet in packets[:GROUP + 1]:
        if packet.number == 2:
            with pytest.raises(WireError, match='faster than they can be decoded'):
                decoder.decode(VideoPacket('h264', packet.data, None, 2), SIZE, is_late=True)
        elif packet.number in (0, 1, GROUP):
            assert decoder.decode(VideoPacket('h264', packet.data, None, 0), SIZE, is_late=packet.is_key)
        else:
            with pytest.raises(WireError, match='without a key frame, since packets come faster'):
                decoder.decode(VideoPacket('h264', packet.data, None, 0), SIZE)


def test_without_the_library_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(video_decoding, 'find_spec', lambda name: None)
    with pytest.raises(UserError, match='^bag x needs PyAV, which is not installed: pip install av$'):
        check_video_decoder('bag x')
