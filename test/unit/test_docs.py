"""Documents agree with the code and with each other."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]


@pytest.mark.parametrize('page', PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    targets = re.findall(r'\]\(([^)#]+)(?:#[^)]*)?\)', page.read_text(encoding='utf-8'))
    local = [t for t in targets if '://' not in t]
    assert [t for t in local if not (page.parent / t).exists()] == []


def test_every_topic_of_the_nodes_is_documented():
    sources = '\n'.join(p.read_text(encoding='utf-8') for p in (ROOT / 'src/cooptrack_ros/nodes').glob('*.py'))
    topics = set(re.findall(r"'(~/(?:input|output|debug)/[a-z_/]+)'", sources))
    topics |= {f'/infra/<unit>/{name}' for name in re.findall(r"f'/infra/\{[a-z_.]+\}/([a-z_]+)'", sources)}
    text = (ROOT / 'docs/nodes.md').read_text(encoding='utf-8')
    assert len(topics) >= 10
    assert sorted(t for t in topics if f'`{t}`' not in text) == []


def test_documented_parameters_exist():
    known = ''.join((ROOT / 'config' / f'{node}.yaml').read_text(encoding='utf-8') for node in ('ego', 'roadside'))
    for page in PAGES:
        named = re.findall(r'`((?:fusion|features|markers|odometry|diagnostics)\.[a-z_]+)`',
                           page.read_text(encoding='utf-8'))
        assert [p for p in named if f' {p}: ' not in known] == []
