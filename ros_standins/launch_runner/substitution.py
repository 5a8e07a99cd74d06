"""Substitutions of XML launch files: $(var x), $(env X default), $(find-pkg-share p), $(dirname), $(eval ...)."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

_MAX_SUBSTITUTIONS = 100
"""In one text; a value that refers to itself would never end."""


class LaunchError(Exception):
    """Something in a launch file that is wrong or not supported."""


def substitute(text: str, variables: Mapping[str, str], environment: Mapping[str, str], file: Path) -> str:
    """Return the text with every substitution replaced, inner ones first."""
    pattern = re.compile(r'\$\(([a-z-]+)((?:[^()]|\\\)|(?<=\\)\()*)\)')
    for _ in range(_MAX_SUBSTITUTIONS):
        match = pattern.search(text)
        if match is None:
            return text
        value = _evaluate(match.group(1), match.group(2).strip(), variables, environment, file)
        text = text[:match.start()] + value + text[match.end():]
    raise LaunchError(f'{file}: more than {_MAX_SUBSTITUTIONS} substitutions in {text!r}')


def split_command(text: str, variables: Mapping[str, str], environment: Mapping[str, str], file: Path) -> list[str]:
    """
    Return the words of a command line with every substitution replaced.

    As in launch, only the text of the file is split, as a shell does: what a substitution gives stays in one word, with
    its spaces and quotes, and may be empty.
    """
    words: list[str] = []
    word: str | None = None
    for part, is_substitution in _parts(text):
        if is_substitution:
            word = (word or '') + substitute(part, variables, environment, file)
            continue
        try:
            tokens = shlex.split(part)
        except ValueError as error:
            raise LaunchError(f'{file}: {text!r}: {error}') from error
        if word is not None and part[0].isspace():
            words.append(word)
            word = None
        for number, token in enumerate(tokens):
            if number:
                words.append(word)
                word = None
            word = (word or '') + token
        if word is not None and part[-1].isspace():
            words.append(word)
            word = None
    return words if word is None else [*words, word]


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """Yield pieces of a text, and whether each is a substitution, with those inside of it."""
    start = 0
    while (opening := text.find('$(', start)) >= 0:
        if opening > start:
            yield text[start:opening], False
        depth, end = 1, opening + 2
        while depth and end < len(text):
            if text[end] in '()' and text[end - 1] != '\\':
                depth += 1 if text[end] == '(' else -1
            end += 1
        yield text[opening:end], True
        start = end
    if start < len(text):
        yield text[start:], False


def _evaluate(name: str, argument: str, variables: Mapping[str, str], environment: Mapping[str, str],
              file: Path) -> str:
    if name == 'var':
        if argument not in variables:
            raise LaunchError(f"{file}: $(var {argument}) is not declared; known: {', '.join(sorted(variables))}")
        return variables[argument]
    if name == 'env':
        variable, _, default = argument.partition(' ')
        if variable in environment:
            return environment[variable]
        if not default:
            raise LaunchError(f'{file}: environment variable {variable} is not set and has no default')
        return default.strip().strip('\'"')
    if name == 'find-pkg-share':
        return str(package_share(argument, environment, file))
    if name == 'dirname' and not argument:
        return str(file.parent)
    if name == 'eval':
        return _compare(argument.strip('\'"'), file)
    raise LaunchError(f'{file}: substitution $({name} {argument}) is not supported here')


def _compare(expression: str, file: Path) -> str:
    """Evaluate ``'a' == 'b'`` or ``!=``; ROS evaluates any Python expression."""
    match = re.fullmatch(r"""\s*['"]?(.*?)['"]?\s*(==|!=)\s*['"]?(.*?)['"]?\s*""", expression)
    if match is None:
        raise LaunchError(f"{file}: $(eval {expression}): only 'a' == 'b' and 'a' != 'b' are supported here")
    left, operator, right = match.groups()
    return str((left == right) == (operator == '==')).lower()


def package_prefix(package: str, environment: Mapping[str, str], file: Path) -> Path:
    """Return the install prefix of a package from the ament index."""
    import sys
    prefixes = [p for p in environment.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if p]
    for prefix in [*prefixes, sys.prefix]:
        if (Path(prefix) / 'share' / 'ament_index' / 'resource_index' / 'packages' / package).exists():
            return Path(prefix)
    raise LaunchError(f"{file}: package '{package}' is not installed (not in the ament index)")


def package_share(package: str, environment: Mapping[str, str], file: Path) -> Path:
    """Return the share folder of a package."""
    return package_prefix(package, environment, file) / 'share' / package
