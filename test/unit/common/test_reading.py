"""What others wrote is read up to a size, and never becomes more than it is."""

import re
from pathlib import Path

import pytest

from cooptrack_ros.common.array_files import read_arrays
from cooptrack_ros.common.reading import check_yaml, dump_yaml, parse_json, parse_yaml, read_bounded, read_yaml

SOURCES = Path(__file__).resolve().parents[3] / 'src/cooptrack_ros'
READERS = {
    'common/reading.py': ('yaml.safe_load', 'json.loads', 'yaml.parse'), 'common/array_files.py': ('np.load',),
    # Packed with the package, written by it for itself, or checked before.
    'parity/fill.py': ('json.loads',), 'data/spd/tables.py': ('json.loads',), 'bench/report.py': ('json.loads',),
    'demo/passes.py': ('json.loads',), 'train/run_log.py': ('json.loads',),
    'weights/published_checkpoint.py': ('torch.load',), 'train/checkpoint.py': ('torch.load',),
    'sensors/image_decoding.py': ('cv2.imdecode',), 'bench/model.py': ('cv2.imdecode',)}
CALLS = re.compile(r'\b(?:yaml\.(?:safe_load|load|full_load|unsafe_load|parse|compose)(?:_all)?|json\.loads?|np\.load'
                   r'|np\.fromfile|np\.loadtxt|torch\.load|pickle\.loads?|cv2\.im(?:decode|read))(?=\()')


def test_files_are_parsed_in_one_place_each():
    found = {}
    for path in SOURCES.rglob('*.py'):
        calls = set(CALLS.findall(path.read_text(encoding='utf-8')))
        if calls:
            found[str(path.relative_to(SOURCES))] = calls
    assert found == {name: set(calls) for name, calls in READERS.items()}


@pytest.mark.parametrize(('text', 'complaint'), [
    ('a: &x [1]\nb: *x', r"an alias '\*x' in line 2"), ('a: {<<: {b: 1}}', "a merge key '<<' in line 1"),
    ('[' * 100, 'nested deeper'), ('[' + '1,' * 30_000 + ']', 'more than 20000 values'),
    ('a: ' + '1:' * 5000 + '1', 'a number of 10001 characters in line 1'), ('a: \x07', 'not YAML'),
    ('a: 9999-99-99', 'not YAML'), ('? [a]\n: 1', 'not YAML')])
def test_yaml_that_unfolds_or_is_none_is_refused(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        parse_yaml(text)


def test_what_looks_like_a_merge_key_or_a_number_and_is_a_text_stays():
    assert parse_yaml("'<<': 1\nb: '" + '1' * 100 + "'\nc: 12:30\nd: 0x1f") == {
        '<<': 1, 'b': '1' * 100, 'c': 750, 'd': 31}


def test_what_stands_twice_is_written_out():
    shared = [1, 2]
    text = dump_yaml({'a': shared, 'b': shared})
    check_yaml(text)
    assert parse_yaml(text) == {'a': [1, 2], 'b': [1, 2]}


def test_large_files_and_endless_devices_are_not_read(tmp_path):
    path = tmp_path / 'hole.yaml'
    with path.open('wb') as stream:
        stream.truncate(10**10)
    with pytest.raises(ValueError, match='at least 10000000000 bytes, expected at most 1048576'):
        read_yaml(path)
    with pytest.raises(ValueError, match='at least 101 bytes, expected at most 100'):
        read_bounded(Path('/dev/zero'), 100)


def test_json_with_more_values_than_text_is_refused():
    with pytest.raises(ValueError, match='more than 1000000 values'):
        parse_json('[' + '[],' * 1_100_000 + '[]]')
    with pytest.raises(ValueError, match='nested too deep'):
        parse_json('[' * 200_000)
    assert len(parse_json('[' + '0.25,' * 1_100_000 + '1]')) == 1_100_001


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04', b'x' * 100])
def test_what_is_no_archive_of_arrays_is_refused(tmp_path, content):
    (tmp_path / 'a.npz').write_bytes(content)
    with pytest.raises(ValueError, match='no archive of arrays'):
        read_arrays(tmp_path / 'a.npz')
