# Averages the fertilities of single texts, so a message of one word counts as much as a page.
# fails: fertility_divides_once
# %% exercise="fertility.measure"
def fertility(texts, encode):
    ratios = [len(encode(text)) / len(text.split()) for text in texts if text.split()]
    if not ratios:
        raise ValueError("There is no word in these texts.")
    return sum(ratios) / len(ratios)


def premium(texts, reference, encode):
    both = [(text, other) for text, other in zip(texts, reference, strict=True) if text and other]
    return sum(len(encode(text)) for text, _ in both) / sum(len(encode(other)) for _, other in both)
