# Learns from the list of different words and forgets how often each of them occurs.
# fails: frequent_words_decide
# %% exercise="bpe.train"
def train_bpe(word_counts, merges, count, merge):
    words = {tuple(word): 1 for word in word_counts}
    learned = []
    for _ in range(merges):
        counts = count(words)
        if not counts:
            break
        learned.append(max(counts, key=counts.get))
        words = {merge(symbols, learned[-1]): 1 for symbols in words}
    return learned
