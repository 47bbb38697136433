# Looks for the end token in the whole text, and a prompt in a chat template holds one.
# fails: an_end_token_in_the_prompt_ends_nothing
# %% exercise="greedy.write"
def greedy(model, prompts, new_tokens, end, make_batch):
    texts = [list(prompt) for prompt in prompts]
    for _ in range(new_tokens):
        rows = [row for row, text in enumerate(texts) if end not in text]
        if not rows:
            break
        with torch.no_grad():
            tokens = model(**make_batch([texts[row] for row in rows])).logits[:, -1].argmax(dim=-1).tolist()
        for place, row in enumerate(rows):
            texts[row].append(tokens[place])
    return [text[len(prompt) :] for text, prompt in zip(texts, prompts, strict=True)]
