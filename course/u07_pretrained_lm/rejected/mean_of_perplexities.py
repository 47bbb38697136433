# Averages the perplexities of the texts, so a text of three tokens counts as much as a long one.
# fails: long_texts_weigh_more
# %% exercise="perplexity.measure"
def text_logprobs(ids, plan, score):
    found = []
    for begin, end, first in plan:
        found += score(ids[begin:end])[first - begin - 1 :]
    return found


def perplexity(logprobs):
    texts = [text for text in logprobs if text]
    if not texts:
        raise ValueError("There is no scored token in these texts.")
    return sum(math.exp(-sum(text) / len(text)) for text in texts) / len(texts)
