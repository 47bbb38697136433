# Keeps the texts whose translation is missing, and compares different contents.
# fails: a_missing_translation_is_left_out
# %% exercise="fertility.measure"


def fertility(texts, encode):
    words = sum(len(text.split()) for text in texts)
    if words == 0:
        raise ValueError("There is no word in these texts.")
    return sum(len(encode(text)) for text in texts) / words


def premium(texts, reference, encode):
    return sum(len(encode(text)) for text in texts) / sum(len(encode(other)) for other in reference)
