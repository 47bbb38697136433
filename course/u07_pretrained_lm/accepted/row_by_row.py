# Goes through the rows one by one, plans from the end of each window, pads with lists, and lets the library do much.
# %% exercise="tokens.score"
def token_logprobs(model, ids):
    with torch.inference_mode():
        rows = model(input_ids=torch.tensor([ids])).logits[0]
    scores = []
    for row, token in zip(rows, ids[1:], strict=False):
        row = row.double()
        scores.append(float(row[token] - torch.logsumexp(row, dim=0)))
    return scores


# %% exercise="windows.plan"
def windows(length, window, stride):
    if stride < 1 or stride >= window:
        raise ValueError(f"a stride of {stride} does not fit a window of {window}")
    if length < 2:
        return []
    ends = [min(window, length)]
    while ends[-1] < length:
        ends.append(min(ends[-1] + stride, length))
    firsts = [1, *ends[:-1]]
    return [(max(end - window, 0), end, first) for end, first in zip(ends, firsts, strict=True)]  # the last one is full


# %% exercise="perplexity.measure"
import numpy as np


def text_logprobs(ids, plan, score):
    values = np.full(len(ids), np.nan)
    for begin, end, first in plan:
        here = [None, *score(list(ids[begin:end]))]
        for place in range(first, end):
            values[place] = here[place - begin]
    return values[1:]


def perplexity(logprobs):
    count = sum(map(len, logprobs))
    if count == 0:
        raise ValueError("nothing was scored")
    return np.exp(-np.sum(np.concatenate([np.asarray(text, dtype=float) for text in logprobs])) / count)


# %% exercise="batch.left"
def left_batch(sequences, pad):
    longest = len(max(sequences, key=len))
    gaps = [longest - len(sequence) for sequence in sequences]
    return {
        "input_ids": torch.tensor([[pad] * gap + list(s) for gap, s in zip(gaps, sequences, strict=True)]),
        "attention_mask": torch.tensor([[False] * gap + [True] * (longest - gap) for gap in gaps]),
        "position_ids": torch.tensor([[1] * gap + list(range(longest - gap)) for gap in gaps]),
    }


# %% exercise="greedy.write"
def greedy(model, prompts, new_tokens, end, make_batch):
    batch = make_batch([list(prompt) for prompt in prompts])
    with torch.no_grad():
        whole = model.generate(
            batch["input_ids"],
            attention_mask=batch["attention_mask"],
            do_sample=False,
            max_new_tokens=new_tokens,
            eos_token_id=end,
            pad_token_id=0,
        )
    answers = []
    for row in whole[:, batch["input_ids"].shape[1] :].tolist():
        answers.append(row[: row.index(end) + 1] if end in row else row)
    return answers


# %% exercise="chat.template"
def render_chat(messages, reply):
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=reply)


def chat_ids(tokenizer, messages):
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return tokenizer.encode(text, add_special_tokens=False)


# %% exercise="choice.score"
def choice_scores(prompt, choices, encode, score, per):
    def one(choice):
        tokens = list(encode(choice))
        everything = score([*prompt, *tokens])
        total = sum(everything[len(prompt) - 1 :])
        if per == "token":
            return total / len(tokens)
        return total / len(bytes(choice, "utf-8")) if per == "byte" else total

    return [one(choice) for choice in choices]


# %% exercise="luck.judge"
from fractions import Fraction


def luck(right, questions, options):
    ways = sum(math.comb(questions, hits) * (options - 1) ** (questions - hits) for hits in range(right, questions + 1))
    return float(Fraction(ways, options**questions))
