"""Documents agree with the code and with each other."""

import ast
import re
from pathlib import Path

import pytest

from cooptrack_ros.common.timeline import StampOrder

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


def test_topics_of_each_node_stand_on_its_page():
    rows = re.findall(r'^\| `([^`]+)` \| `[^`]+` \| [^|]+\| (in|out)? ?\| (in|out)? ?\|$',
                      (ROOT / 'docs/nodes.md').read_text(encoding='utf-8'), re.MULTILINE)
    assert len(rows) >= 20
    for column, page in ((1, 'roadside_node.md'), (2, 'ego_node.md')):
        text = (ROOT / 'docs' / page).read_text(encoding='utf-8')
        expected = {'~/input/<name>/...' if '<name>' in row[0] else row[0] for row in rows if row[column]}
        assert sorted(t for t in expected if f'`{t}`' not in text) == [], page


def reasons_in(tree: ast.AST):
    """Yield the expressions that say why something is dropped."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, 'attr', getattr(node.func, 'id', ''))
            place = {'WireError': 0, 'StaleMessage': 0, 'drop': 1}.get(name)
            if place is not None:
                yield node.args[place]
            yield from (k.value for k in node.keywords if k.arg == 'reason' and name != 'SetParametersResult')
            if name == 'check_plausible_pose':
                yield from node.args[2:3]
        elif isinstance(node, ast.FunctionDef):
            named = [a.arg for a in node.args.args][len(node.args.args) - len(node.args.defaults):]
            yield from (value for arg, value in zip(named, node.args.defaults, strict=True) if arg == 'reason')


def test_every_reason_for_a_drop_is_explained():
    reasons, passed_on = {StampOrder.DUPLICATE.value, StampOrder.LATE.value}, set()
    for path in (ROOT / 'src/cooptrack_ros').rglob('*.py'):
        for reason in reasons_in(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(reason, ast.Constant):
                reasons.add(reason.value)
            else:
                passed_on.add(ast.unparse(reason))
    # Of another error, of ``StampOrder``, or of the caller, who is found by the name of the argument.
    assert passed_on <= {'error.reason', 'order.value', 'reason'}, 'say where these come from'
    text = (ROOT / 'docs/troubleshooting.md').read_text(encoding='utf-8')
    assert len(reasons) >= 20
    assert sorted(r for r in reasons if not re.search(rf'\.{r}`', text)) == []


def test_documented_parameters_exist():
    known = ''.join((ROOT / 'config' / f'{node}.yaml').read_text(encoding='utf-8') for node in ('ego', 'roadside'))
    for page in PAGES:
        named = re.findall(r'`((?:camera|cameras|debug|diagnostics|features|fusion|markers|odometry|output)\.[a-z_]+)`',
                           page.read_text(encoding='utf-8'))
        assert [p for p in named if f' {p}: ' not in known] == []
