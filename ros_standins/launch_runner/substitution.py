"""Substitutions of XML launch files: $(var x default), $(env X default), $(find-pkg-share p), $(dirname), $(eval e)."""

from __future__ import annotations

import os
import re
import shlex
from ast import literal_eval
from collections.abc import Iterator, Mapping
from pathlib import Path


class LaunchError(Exception):
    """Something in a launch file that is wrong or not supported."""


def substitute(text: str, variables: Mapping[str, str], environment: Mapping[str, str], file: Path) -> str:
    """Return the text with every substitution replaced; what one gives is not looked at again, as in launch."""
    return ''.join(_evaluate(part[2:-1], variables, environment, file) if is_substitution else part
                   for part, is_substitution in _parts(text))


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


def _words(text: str) -> list[str]:
    """Split the inside of a substitution at spaces outside of quotes and inner substitutions; take the quotes off."""
    words, depth, quote = [''], 0, ''
    for before, character in zip(' ' + text, text):
        if before != '\\':
            if character in '\'"' and not depth:
                quote = '' if character == quote else quote or character
            depth += (before + character == '$(') - (character == ')' and depth > 0)
        if character == ' ' and not depth and not quote:
            words.append('')
        else:
            words[-1] += character
    return [w[1:-1].replace('\\' + w[0], w[0]) if w[0] in '\'"' else w for w in words if w]


def _evaluate(inside: str, variables: Mapping[str, str], environment: Mapping[str, str], file: Path) -> str:
    """Return what a substitution gives; :param inside: its text between the brackets."""
    name, *words = (substitute(word, variables, environment, file) for word in _words(inside))
    first, default = [*words, None, None][:2]
    if name == 'var' and len(words) in (1, 2):
        if first not in variables and default is None:
            raise LaunchError(f"{file}: $(var {first}) is not declared; known: {', '.join(sorted(variables))}")
        return variables.get(first, default)
    if name == 'env' and len(words) in (1, 2):
        if first not in environment and default is None:
            raise LaunchError(f'{file}: environment variable {first} is not set and has no default')
        return environment.get(first, default)
    if name == 'find-pkg-share' and len(words) == 1:
        return str(package_share(first, environment, file))
    if name == 'dirname' and not words:
        return str(file.parent)
    if name == 'eval' and len(words) == 1:
        return _compare(first, file)
    raise LaunchError(f'{file}: substitution $({inside}) is not supported here')


def _compare(expression: str, file: Path) -> str:
    """Evaluate ``'a' == 'b'`` or ``!=``; ROS evaluates any Python expression."""
    text = r'''('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")'''
    match = re.fullmatch(rf'\s*{text}\s*(==|!=)\s*{text}\s*', expression)
    if match is None:
        raise LaunchError(f"{file}: $(eval {expression}): only 'a' == 'b' and 'a' != 'b' are supported here")
    left, operator, right = match.groups()
    return str((literal_eval(left) == literal_eval(right)) == (operator == '==')).lower()


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
