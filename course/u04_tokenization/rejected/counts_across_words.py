# Puts the words into one row of symbols first, so the end of a word and the beginning of the next become a pair.
# fails: pairs_stay_inside_words
# %% exercise="pairs.count"
from itertools import pairwise


def count_pairs(words):
    row = []
    for symbols, times in words.items():
        row += [(symbol, times) for symbol in symbols]
    counts = {}
    for (left, times), (right, same) in pairwise(row):
        counts[left, right] = counts.get((left, right), 0) + min(times, same)
    return counts
