"""Voxels of a demonstration: read back from bags, measured where only the unit sees, and drawn where it adds most."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from support.small_voxels import GRID, PROFILE, block_labels, small_grid  # noqa: F401

from cooptrack_ros.common.errors import UserError
from cooptrack_ros.data.bags.writer import BagWriter
from cooptrack_ros.demo.options import COOPERATIVE, UNIT, DemoOptions
from cooptrack_ros.demo.voxels import StreetVoxels, measure_street, street_picture
from cooptrack_ros.occupancy.grids import GRIDS
from cooptrack_ros.occupancy.label_file import label_path, write_voxels
from cooptrack_ros.occupancy.segments import Volume
from cooptrack_ros.occupancy.sparse import Occupied
from cooptrack_ros.occupancy.taxonomy import V2X
from cooptrack_ros.wire.occupancy import OccupancyMeta, RoadsideMeta, encode_occupancy, encode_roadside
from cooptrack_ros.wire.topics import occupancy_topic, unit_namespace, voxels_topic

SEEN, HIDDEN = (5, 1, 4, 7, 14, 16), (9, 1, 20, 23, 14, 16)


def occupied(*blocks) -> Occupied:
    labels = block_labels(blocks)
    return Occupied.of(Volume(labels.semantics, labels.instances.astype(np.int64)), V2X)


@pytest.fixture
def street(tmp_path, small_grid):  # noqa: F811
    """Return a data set of two frames with a car that only the unit sees, its records, and what nodes said of them."""
    labels, unit_labels = block_labels([SEEN, HIDDEN]), block_labels([])
    labels.mask_camera[18:] = 0
    paths = [label_path(tmp_path, 'small', name) for name in ('ego', 'unit')]
    for path, content in zip(paths, (labels, unit_labels), strict=True):
        write_voxels(path, content)
    shift = np.eye(4)
    shift[0, 3] = GRID.origin[0] - PROFILE.roadside_x
    camera = SimpleNamespace(read=lambda: (np.full((90, 160, 3), 50, np.uint8), np.eye(4)))
    records = [SimpleNamespace(
        sequence='a', token=str(k), stamp_us=100_000 * k, infra_token='u', infra_stamp_us=100_000 * k + 7,
        ego_from_infra=shift, occupancy={'small': paths[0]}, cameras=[camera],
        infra=SimpleNamespace(cameras=[camera])) for k in (1, 2)]
    roadside = SimpleNamespace(records=lambda side: [SimpleNamespace(sequence='a', token='u',
                                                                     occupancy={'small': paths[1]})])
    data = SimpleNamespace(units={UNIT: roadside}, partners=lambda records: {UNIT: records})
    stamps = [1000 * r.stamp_us for r in records]
    voxels = StreetVoxels(
        dict.fromkeys(stamps, occupied(SEEN)), {stamps[0]: occupied(SEEN), stamps[1]: occupied(SEEN, HIDDEN)},
        {s + 7000: occupied(HIDDEN) for s in stamps}, {stamps[0]: 500, stamps[1]: 700})
    return data, records, voxels


def test_the_frame_is_drawn_in_which_the_unit_adds_most(street):
    data, records, voxels = street
    figures, record = measure_street(voxels, data, records, 'small')
    assert record is records[1] and figures['filled_voxels_of_things_per_frame'] == 3 * 2 * 2 / 2
    assert figures['bytes_per_second'] == 6000.0
    alone, together = (figures[name]['unit_only']['strict'] for name in ('ego_only', 'cooperative'))
    assert alone['OccAQ'] == 0.0 and together['OccAQ'] == pytest.approx(0.25)
    assert all(figures[name]['camera']['strict']['OccSTQ'] == 1.0 for name in ('ego_only', 'cooperative'))
    framed, unframed = (street_picture(voxels, r, 'small', '') for r in records[::-1])
    assert framed.shape == unframed.shape and (framed != unframed).any()


def test_a_frame_without_voxels_is_an_error_not_a_gap(street):
    data, records, voxels = street
    voxels.together.pop(1000 * records[1].stamp_us)
    with pytest.raises(UserError, match="pass 'cooperative': no voxels of frame 2"):
        measure_street(voxels, data, records, 'small')


def test_voxels_are_read_from_what_the_passes_recorded(tmp_path):
    options, stamp = DemoOptions(out=tmp_path, occupancy='mini'), 10**9
    mini, meta = np.array([7, 900, 901]), OccupancyMeta(stamp, 'l', GRIDS['mini'].vehicle, V2X)
    found = Occupied(mini, np.array([4, 1, 1], np.uint8), np.array([0, 3, 3]))
    unit_node = f'{unit_namespace(UNIT)}/roadside_node'
    for name, nodes in (('ego_only', ['/ego/ego_node']), (COOPERATIVE.name, ['/ego/ego_node', unit_node])):
        with BagWriter(options.answers(name)) as writer:
            for node in nodes:
                writer.write(voxels_topic(node), encode_occupancy(found, meta), stamp)
            if unit_node in nodes:
                link = encode_roadside(found, RoadsideMeta(UNIT, 1, 0, stamp, 'l', 'mini'))
                writer.write(occupancy_topic(UNIT), link, stamp)
    read = StreetVoxels.read(options)
    for frames in (read.alone, read.together, read.unit):
        np.testing.assert_array_equal(frames[stamp].index, mini)
        np.testing.assert_array_equal(frames[stamp].instances, [0, 3, 3])
    assert list(read.sent) == [stamp] and read.sent[stamp] > 50
