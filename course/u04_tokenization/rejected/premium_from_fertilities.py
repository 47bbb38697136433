# Compares languages by their fertilities, which also changes with the number of words that a language uses.
# fails: premium_compares_the_same_content
# %% exercise="fertility.measure"


def fertility(texts, encode):
    words = sum(len(text.split()) for text in texts)
    if words == 0:
        raise ValueError("There is no word in these texts.")
    return sum(len(encode(text)) for text in texts) / words


def premium(texts, reference, encode):
    both = [(text, other) for text, other in zip(texts, reference, strict=True) if text and other]
    return fertility([text for text, _ in both], encode) / fertility([other for _, other in both], encode)
