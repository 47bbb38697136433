# Counts the pairs once, before the first merge, and takes the most frequent ones from that list.
# fails: every_merge_is_the_most_frequent_pair
# %% exercise="bpe.train"
def train_bpe(word_counts, merges, count, merge):
    counts = count({tuple(word): times for word, times in word_counts.items()})
    return sorted(counts, key=counts.get, reverse=True)[:merges]
