# Cuts a word by taking the longest known token from the left, as WordPiece does, instead of following the merges.
# fails: earlier_merges_go_first
# %% exercise="bpe.encode"
def encode_word(word, merges, merge):
    known = {left + right for left, right in merges}
    tokens = []
    while word:
        size = next((n for n in range(len(word), 1, -1) if word[:n] in known), 1)
        tokens.append(word[:size])
        word = word[size:]
    return tokens
