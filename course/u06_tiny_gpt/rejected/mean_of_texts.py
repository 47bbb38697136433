# Measures each text by itself and takes the mean.
# fails: long_texts_count_more
# %% exercise="bits.measure"
def measure_bits(texts: list[str], encode, logits, end: int) -> float:
    """Bits that a model needs for `texts`, all together, divided by their bytes in UTF-8.

    `encode(text)` gives a list of token numbers. `logits(tokens)` takes tokens of the shape [1, n] and gives logits of
    the shape [1, n, vocabulary] for the token after each. Each text is read by itself, after the token `end`.
    It must stay right where logits are as large as 1000.
    """
    found = []
    for text in texts:
        tokens = torch.tensor([end, *encode(text)])
        scores = logits(tokens[None, :-1])[0]
        nats = F.cross_entropy(scores, tokens[1:], reduction="sum").item()
        found.append(nats / math.log(2) / len(text.encode()))
    return sum(found) / len(found)
