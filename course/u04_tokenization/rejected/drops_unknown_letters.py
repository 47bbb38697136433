# Leaves out the letters that occur in no merge, because they are not in the vocabulary.
# fails: the_tokens_spell_the_word
# %% exercise="bpe.encode"
def encode_word(word, merges, merge):
    vocabulary = {letter for left, right in merges for letter in left + right}
    symbols = tuple(letter for letter in word if letter in vocabulary)
    for pair in merges:
        symbols = merge(symbols, pair)
    return list(symbols)
