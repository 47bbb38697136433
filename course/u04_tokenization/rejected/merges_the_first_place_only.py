# Applies each merge at the first place where it fits, and not at the others.
# fails: a_merge_works_at_every_place
# %% exercise="bpe.encode"
def encode_word(word, merges, merge):
    symbols = list(word)
    for left, right in merges:
        for place in range(len(symbols) - 1):
            if symbols[place] == left and symbols[place + 1] == right:
                symbols[place : place + 2] = [left + right]
                break
    return symbols
