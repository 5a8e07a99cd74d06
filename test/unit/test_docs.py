"""Documents agree with the code and with each other."""

import re
from pathlib import Path

import pytest

from cooptrack_ros.wire.topics import UNIT_TOPICS, unit_topic

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / 'README.md', *sorted((ROOT / 'docs').glob('*.md'))]


@pytest.mark.parametrize('page', PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    targets = re.findall(r'\]\(([^)#]+)(?:#[^)]*)?\)', page.read_text(encoding='utf-8'))
    local = [t for t in targets if '://' not in t]
    assert [t for t in local if not (page.parent / t).exists()] == []


@pytest.mark.parametrize('page', PAGES, ids=lambda p: p.name)
def test_links_to_headings_lead_to_one(page):
    for target, anchor in re.findall(r'\]\(([^)#:]*)#([^)]+)\)', page.read_text(encoding='utf-8')):
        titles = re.findall('^#+ (.*)$', (page.parent / target if target else page).read_text(encoding='utf-8'), re.M)
        assert anchor in {re.sub(r'[^\w\- ]', '', t.lower()).replace(' ', '-') for t in titles}, f'{target}#{anchor}'


def test_every_topic_of_the_nodes_is_documented():
    sources = '\n'.join(p.read_text(encoding='utf-8') for p in (ROOT / 'src/cooptrack_ros/nodes').glob('*.py'))
    topics = set(re.findall(r"'(~/(?:input|output|debug)/[a-z_/]+)'", sources))
    topics |= {unit_topic('<unit>', name) for name in UNIT_TOPICS}
    text = (ROOT / 'docs/nodes.md').read_text(encoding='utf-8')
    assert len(topics) >= 10
    assert sorted(t for t in topics if f'`{t}`' not in text) == []


def test_topics_of_each_node_stand_on_its_page():
    rows = re.findall(r'^\| `([^`]+)` \| `[^`]+` \| [^|]+\| (in|out)? ?\| (in|out)? ?\|$',
                      (ROOT / 'docs/nodes.md').read_text(encoding='utf-8'), re.MULTILINE)
    assert len(rows) >= 20
    for column, page in ((1, 'roadside_node.md'), (2, 'ego_node.md')):
        text = (ROOT / 'docs' / page).read_text(encoding='utf-8')
        expected = {'~/input/<name>/...' if '<name>' in row[0] else row[0] for row in rows if row[column]}
        assert sorted(t for t in expected if f'`{t}`' not in text) == [], page


def test_every_reason_for_a_drop_is_explained():
    package = ROOT / 'src/cooptrack_ros'
    sources = '\n'.join(p.read_text(encoding='utf-8') for folder in ('nodes', 'wire', 'core')
                        for p in (package / folder).glob('*.py'))
    reasons = set(re.findall(r"(?:WireError|StaleMessage)\(\s*'([a-z_]+)'", sources))
    reasons |= set(re.findall(r"\bdrop\(\s*[\w.']+,\s*'([a-z_]+)'", sources))
    text = (ROOT / 'docs/troubleshooting.md').read_text(encoding='utf-8')
    assert len(reasons) >= 20
    assert sorted(r for r in reasons if not re.search(rf'\.{r}`', text)) == []


def test_documented_parameters_exist():
    known = ''.join((ROOT / 'config' / f'{node}.yaml').read_text(encoding='utf-8') for node in ('ego', 'roadside'))
    for page in PAGES:
        named = re.findall(r'`((?:camera|cameras|debug|diagnostics|features|fusion|markers|odometry|output)\.[a-z_]+)`',
                           page.read_text(encoding='utf-8'))
        assert [p for p in named if f' {p}: ' not in known] == []
