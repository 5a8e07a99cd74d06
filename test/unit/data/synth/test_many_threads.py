"""Scenes are made in other processes also when OpenCV has threads at work here."""

import cv2
import numpy as np

from cooptrack_ros.data.synth.many import generate_many


def test_threads_of_opencv_do_not_stop_the_processes(tmp_path):
    threads = cv2.getNumThreads()
    cv2.setNumThreads(4)
    try:
        cv2.resize(np.zeros((2000, 2000, 3), np.uint8), (500, 500), interpolation=cv2.INTER_AREA)
        options = {'seconds': 0.5, 'size': (64, 36), 'units': 1, 'lidar': False}
        assert generate_many(tmp_path, range(701, 703), options, jobs=2)
    finally:
        cv2.setNumThreads(threads)
    assert sorted(p.name for p in tmp_path.glob('seed_*')) == ['seed_000701', 'seed_000702']
