# Splits at single spaces, so two spaces make an empty word and a line break makes none.
# fails: any_white_space_separates_words
# %% exercise="fertility.measure"


def fertility(texts, encode):
    words = sum(len(text.split(" ")) for text in texts if text.strip())
    if words == 0:
        raise ValueError("There is no word in these texts.")
    return sum(len(encode(text)) for text in texts) / words


def premium(texts, reference, encode):
    both = [(text, other) for text, other in zip(texts, reference, strict=True) if text and other]
    return sum(len(encode(text)) for text, _ in both) / sum(len(encode(other)) for _, other in both)
