# Goes on until all texts have ended, and gives back what was written behind the end of the others.
# fails: each_text_of_a_batch_ends_by_itself
# %% exercise="greedy.write"
def greedy(model, prompts, new_tokens, end, make_batch):
    answers = [[] for _ in prompts]
    while len(answers[0]) < new_tokens and not all(end in answer for answer in answers):
        batch = make_batch([prompt + answer for prompt, answer in zip(prompts, answers, strict=True)])
        with torch.no_grad():
            tokens = model(**batch).logits[:, -1].argmax(dim=-1).tolist()
        for answer, token in zip(answers, tokens, strict=True):
            answer.append(token)
    return answers
