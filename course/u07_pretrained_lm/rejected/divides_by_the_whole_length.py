# Divides by the number of tokens of the question and the answer together.
# fails: per_token_divides_by_the_tokens_of_the_choice
# %% exercise="choice.score"
def choice_scores(prompt, choices, encode, score, per):
    scores = []
    for choice in choices:
        tokens = encode(choice)
        total = sum(score(prompt + tokens)[-len(tokens) :])
        size = {"sum": 1, "token": len(prompt + tokens), "byte": len(choice.encode())}
        scores.append(total / size[per])
    return scores
