# Looks at every gap between two symbols on its own, so one symbol can be joined to the left and to the right.
# fails: a_symbol_is_used_once
# %% exercise="pairs.merge"
from itertools import pairwise


def merge_pair(symbols, pair):
    pair = tuple(pair)
    gaps = list(pairwise(symbols))
    result = []
    for place, symbol in enumerate(symbols):
        if place < len(gaps) and gaps[place] == pair:
            result.append("".join(pair))
        elif place == 0 or gaps[place - 1] != pair:
            result.append(symbol)
    return tuple(result)
