"""Installation of the ROS package; works with colcon and with pip."""

from pathlib import Path

from setuptools import find_packages, setup

NAME = 'cooptrack_ros'
SHARE = f'share/{NAME}'


def shared(*folders: str) -> list[tuple[str, list[str]]]:
    """Return every file below the folders, to be installed under the same path in the share folder."""
    files = [p for folder in folders for p in sorted(Path(folder).rglob('*')) if p.is_file()]
    return [(f'{SHARE}/{p.parent}', [str(p)]) for p in files]


setup(
    name=NAME,
    version='0.1.0',
    description='Cooperative camera-only 3D tracking for ROS 2',
    license='Apache-2.0',
    maintainer='cooptrack_ros maintainers',
    maintainer_email='maintainers@cooptrack.invalid',
    package_dir={'': 'src'},
    # src/cooptrack_msgs is a ROS package of its own.
    packages=find_packages('src', include=[NAME, f'{NAME}.*']),
    package_data={NAME: ['data/tables/*.json.gz', 'parity/*.json.gz']},
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{NAME}']),
        (SHARE, ['package.xml']),
        *shared('launch', 'config', 'rviz', 'models'),
    ],
    zip_safe=False,
    install_requires=['setuptools'],
    # colcon test runs pytest only if it finds it among the requirements for tests.
    extras_require={'test': ['pytest'], 'export': ['onnx', 'onnxscript', 'onnxruntime'], 'video': ['av']},
    entry_points={'console_scripts': [
        'cooptrack = cooptrack_ros.programs:cooptrack',
        'ego_node = cooptrack_ros.programs:ego_node',
        'roadside_node = cooptrack_ros.programs:roadside_node',
        'single_process = cooptrack_ros.programs:single_process',
        'link_emulator = cooptrack_ros.programs:link_emulator',
    ]},
)
