"""What a model configuration must be like so that a network can be made of it."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

_MAX_SIZE, _MAX_LAYERS = 10_000, 100
_MAX_CLASSES, _MAX_NAME = 32, 64
"""So many classes, and characters of a name, have a place in the messages."""


def check(config: Any) -> None:
    """
    Look at a whole ``common.config.ModelConfig``.

    :raises ValueError: for sizes, class names or switches of which no network can be made.
    """
    _check_sizes(config)
    _check_classes(config)
    _check_cooperation(config)


def _check_sizes(config: Any) -> None:
    for item in (config, config.backbone):
        for field_ in fields(item):
            value = getattr(item, field_.name)
            values = value if isinstance(value, tuple) else (value,)
            low = 0 if field_.name == 'hist_len' else 1
            high = _MAX_LAYERS if field_.name.endswith(('layers', 'blocks')) else _MAX_SIZE
            for number in values:
                if isinstance(number, int) and not isinstance(number, bool) and not low <= number <= high:
                    raise ValueError(f"configuration key '{field_.name}' is {value}, expected {low} to {high}")
    if config.embed_dims % (2 * config.num_heads):
        raise ValueError(f"configuration key 'embed_dims' is {config.embed_dims}, expected a multiple of twice "
                         f'num_heads ({config.num_heads})')


def _check_cooperation(config: Any) -> None:
    method = config.method
    if method.cooperation not in ('whole', 'additions'):
        raise ValueError(f"configuration key 'method.cooperation' is '{method.cooperation}', expected whole or "
                         'additions')
    if method.cooperation == 'additions' and method.fusion_stage != 'after_decoder':
        raise ValueError("configuration key 'method.fusion_stage' must be after_decoder with additions, not "
                         f"'{method.fusion_stage}'")


def _check_classes(config: Any) -> None:
    names = config.class_names
    if len(set(names)) != len(names) or len(names) > _MAX_CLASSES or max(map(len, names)) > _MAX_NAME:
        raise ValueError(f"configuration key 'class_names' is {list(names)}, expected up to {_MAX_CLASSES} different "
                         f'names of up to {_MAX_NAME} characters')
    for key in ('ego_range', 'infra_range'):
        count = len(getattr(config, key).class_range)
        if count != len(names):
            raise ValueError(f"configuration key '{key}.class_range' has {count} numbers, expected one for each of the "
                             f'{len(names)} class names')
