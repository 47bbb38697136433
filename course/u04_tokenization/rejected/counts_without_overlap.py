# Counts a pair in the spelled word with `str.count`, which skips overlapping places.
# fails: every_place_of_a_pair_counts
# %% exercise="pairs.count"
from itertools import pairwise


def count_pairs(words):
    counts = {}
    for symbols, times in words.items():
        for pair in set(pairwise(symbols)):
            counts[pair] = counts.get(pair, 0) + times * "".join(symbols).count("".join(pair))
    return counts
