"""How long tracks live where frames are rare."""


def life_at_rate(max_age_s: float, max_age: int, hz: float) -> float:
    """
    Return a life in seconds for fewer frames a second: what outlives missing frames outlives one of them.

    :param max_age_s: the life; 0, where frames are counted instead, stays 0. :param max_age: the same in frames.
    """
    return max(max_age_s, (min(max_age, 2) - 0.5) / hz) if max_age_s else 0.0
