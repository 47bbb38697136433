# Counts letters instead of bytes, which is the same in English and not in Tajik.
# fails: per_byte_divides_by_the_bytes
# %% exercise="choice.score"
def choice_scores(prompt, choices, encode, score, per):
    scores = []
    for choice in choices:
        tokens = encode(choice)
        total = sum(score(prompt + tokens)[-len(tokens) :])
        size = {"sum": 1, "token": len(tokens), "byte": len(choice)}
        scores.append(total / size[per])
    return scores
