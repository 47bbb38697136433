# Normalises the text to composed letters before encoding, so what was typed does not come back.
# fails: tokens_stand_for_the_bytes
# %% exercise="bytes.code"
import unicodedata


def encode_bytes(text, merges):
    tokens = list(unicodedata.normalize("NFC", text).encode("utf-8"))
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
    return b"".join(pieces[token] for token in tokens).decode("utf-8", errors="replace")
