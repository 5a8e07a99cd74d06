"""Docstrings cite numbers that docs/method.md has, and the pages name code that exists."""

import ast
import io
import re
import tokenize
from dataclasses import fields
from pathlib import Path

import pytest

from cooptrack_ros.common.config import ModelConfig
from cooptrack_ros.common.method_config import MethodConfig, TrackerConfig
from cooptrack_ros.train.recipe import LossConfig

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / 'src/cooptrack_ros'
METHOD = (ROOT / 'docs/method.md').read_text(encoding='utf-8')
KNOWN = set(re.findall(r'^#+ (\d+(?:\.\d+)?)\.? ', METHOD, re.MULTILINE)) | set(
    re.findall(r'^- \*\*(Q\d+)\*\* ', METHOD, re.MULTILINE))
NUMBER = r'Q?\d+(?:\.\d+)?'
CITATION = re.compile(rf'method\.md ({NUMBER}(?:(?:, | to | and )(?:step )?{NUMBER})*)')
SOURCES = [path for folder in ('src', 'test', 'tools', 'benchmarks') for path in sorted((ROOT / folder).rglob('*.py'))
           if path != Path(__file__)]


def prose_of(path: Path) -> list[str]:
    """Return the docstrings (of attributes too) and comments of a source, runs of white space as one blank."""
    found, previous = [], None
    with io.StringIO(path.read_text(encoding='utf-8')) as stream:
        for token in tokenize.generate_tokens(stream.readline):
            stands_alone = previous in (None, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
            if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and stands_alone):
                found.append(re.sub(r'\s+', ' ', token.string))
            if token.type not in (tokenize.COMMENT, tokenize.NL):
                previous = token.type
    return found


PROSE = [(path.relative_to(ROOT), text) for path in SOURCES for text in prose_of(path)]


def defined_in(path: Path) -> set[str]:
    """Return the names that a module defines at its top, and those of methods behind their class and a dot."""
    names = set()
    for node in ast.parse(path.read_text(encoding='utf-8')).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f'{node.name}.{part.name}' for part in node.body if isinstance(part, ast.FunctionDef)}
        if isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return names


def test_every_cited_number_stands_on_the_page():
    cited = [(path, number) for path, text in PROSE for group in CITATION.findall(text)
             for number in re.findall(rf'(?<!step ){NUMBER}', group)]
    assert len(cited) > 80
    assert [f'{path}: {number}' for path, number in cited if number not in KNOWN] == []


def test_every_number_is_cited_with_its_page():
    for path, text in PROSE:
        rest = CITATION.sub('', text)
        assert re.findall(r'\bQ\d+\b', rest) == [], path
        # Sections alone in brackets, like "(13.3, 13.4)".
        naked = re.findall(rf'(?<![\w\])])\(({NUMBER}(?:, {NUMBER})*)\)', rest)
        assert [n for n in naked if '.' in n and set(n.split(', ')) <= KNOWN] == [], path


def test_quirks_are_numbered_without_a_hole_and_each_says_how_it_is_switched():
    entries = re.findall(r'^- \*\*Q(\d+)\*\* (.*(?:\n  .*)*)', METHOD, re.MULTILINE)
    assert [int(number) for number, _ in entries] == list(range(1, len(entries) + 1))
    assert [n for n, text in entries if not re.search(r'\b(Switch:|Always|Never)', ' '.join(text.split()))] == []


def test_keys_that_switch_quirks_exist():
    quirks = METHOD[METHOD.index('## 16.'):METHOD.index('## 17.')]
    keys = {key for text in re.findall(r'Switch: ([^.]*(?:\.\w[^.]*)*)\.', ' '.join(quirks.split()))
            for key in re.findall(r'`([\w.]+)`', text)}
    known = {field.name for config in (MethodConfig, TrackerConfig, ModelConfig) for field in fields(config)}
    known |= {f'losses.{field.name}' for field in fields(LossConfig)}
    assert len(keys) >= 15
    assert keys - known - {'random', 'relative'} == set()


@pytest.mark.parametrize('page', ['method.md', 'architecture.md'])
def test_code_that_a_page_names_exists(page):
    text = (ROOT / 'docs' / page).read_text(encoding='utf-8')
    named = re.findall(r'`([\w/]+\.py):([\w.]+)`', text)
    assert len(named) >= 10
    bases = (PACKAGE, ROOT)
    for file, name in named:
        paths = [base / file for base in bases if (base / file).is_file()]
        assert paths, file
        assert name in defined_in(paths[0]), f'{file}:{name}'


def test_no_docstring_cites_a_document_that_is_not_here():
    for path, text in PROSE:
        for document in re.findall(r'[\w/.-]*\w\.md\b', text):
            assert any((base / document).is_file() for base in (ROOT, ROOT / 'docs')), f'{path}: {document}'
