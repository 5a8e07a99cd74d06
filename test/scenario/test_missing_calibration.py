"""Images before any calibration."""

from support.ros_world import EgoWorld, calibration, camera_image


def test_images_without_calibration_are_counted_until_it_comes(world):
    ego = EgoWorld(world, calibrated=False)
    ego.send()
    ego.dropped('image', 'missing_calibration')
    assert not ego.tracks
    world.until(lambda: any('calibration' in s.message for a in ego.diagnostics for s in a.status),
                'diagnostics that name the calibration')
    ego.calibrate()
    assert ego.frame().tracks


def test_singular_calibration_is_refused_and_named(world):
    ego = EgoWorld(world, calibrated=False)
    broken = calibration()
    broken.img_from_lidar = [0.0] * 12
    world.publish('/ego/ego_node/input/calibration', broken)
    ego.dropped('calibration', 'bad_calibration')
    ego.calibrate()
    assert ego.frame().tracks


def test_image_of_another_size_than_calibrated_is_dropped(ego):
    ego.send(camera_image(ego.now_ns, (32, 32)))
    ego.dropped('image', 'wrong_size')
    assert ego.frame().tracks
