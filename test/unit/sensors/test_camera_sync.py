"""Images of the anchor camera that wait for others."""

from cooptrack_ros.sensors.camera_sync import AnchorFrames

MS = 1_000_000


def test_a_frame_is_complete_once():
    anchors = AnchorFrames(0.05)
    assert anchors.add(100 * MS) == 0
    assert anchors.complete(100 * MS)
    assert not anchors.complete(100 * MS)
    assert anchors.add(200 * MS) == 0


def test_an_image_is_given_up_after_the_tolerance_and_not_used_later():
    anchors = AnchorFrames(0.05)
    anchors.add(100 * MS)
    assert anchors.add(140 * MS) == 0
    assert anchors.add(160 * MS) == 1
    assert not anchors.complete(100 * MS)
    assert anchors.complete(140 * MS) and anchors.complete(160 * MS)


def test_what_waits_from_before_a_jump_of_time_is_given_up():
    anchors = AnchorFrames(0.05)
    anchors.add(9000 * MS)
    assert anchors.add(100 * MS) == 1
    assert anchors.complete(100 * MS)
