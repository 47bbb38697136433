# Throws away the bytes that are not valid UTF-8, so half a letter vanishes without a trace.
# fails: broken_letters_are_marked
# %% exercise="bytes.code"


def encode_bytes(text, merges):
    tokens = list(text.encode("utf-8"))
    for number, (left, right) in enumerate(merges):
        merged = []
        for token in tokens:
            merged.append(token)
            if merged[-2:] == [left, right]:
                merged[-2:] = [256 + number]
        tokens = merged
    return tokens


def decode_bytes(tokens, merges):
    pieces = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        pieces.append(pieces[left] + pieces[right])
    return b"".join(pieces[token] for token in tokens).decode("utf-8", errors="ignore")
