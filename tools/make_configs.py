"""Write config/ego.yaml and config/roadside.yaml from the settings classes of the nodes."""

from pathlib import Path

from cooptrack_ros.nodes.settings import EgoSettings, RoadsideSettings, to_yaml

FILES = {'ego.yaml': (EgoSettings, 'ego_node'), 'roadside.yaml': (RoadsideSettings, 'roadside_node')}


def main() -> None:
    """Write both files."""
    folder = Path(__file__).resolve().parents[1] / 'config'
    for name, (settings, node) in FILES.items():
        (folder / name).write_text(to_yaml(settings, node), encoding='utf-8')


if __name__ == '__main__':
    main()
