# Stops at the end token and leaves it out of the answer.
# fails: the_end_token_is_the_last_one
# %% exercise="greedy.write"
def greedy(model, prompts, new_tokens, end, make_batch):
    answers = []
    for prompt in prompts:
        answer = []
        while len(answer) < new_tokens:
            with torch.no_grad():
                token = model(**make_batch([prompt + answer])).logits[0, -1].argmax().item()
            if token == end:
                break
            answer.append(token)
        answers.append(answer)
    return answers
