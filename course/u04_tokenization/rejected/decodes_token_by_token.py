# Decodes each token by itself, although a letter may be spread over two tokens.
# fails: every_text_comes_back
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
    return "".join(pieces[token].decode("utf-8", errors="replace") for token in tokens)
