# %% [markdown]
# # Pretrained language models: what does a small one know?
#
# **Can a small open model, on the department's old computer, answer questions about Tajikistan's cotton, rivers and
# cities? And how would you know?**
#
# A **pretrained model** is a model that somebody else has trained and given away. The model of this unit is called
# SmolLM2-135M-Instruct. It has 135 million numbers, takes 270 MB on a USB stick, and needs no graphics card and no
# network. It was trained almost only on English text.
#
# You could ask it ten questions and read the answers. They are good English, and many of them are false. To decide
# whether the model is of use to you, you need numbers that you can trust.
#
# In this unit you write the tools for such numbers. You measure how much a text surprises the model. You let it
# answer, as the library does. You let it choose between answers, and you find out whether it knew or guessed.

# %% locked=true
from autograder.student import expect, open_unit, raises

check = open_unit("u07_pretrained_lm")

# %%
import copy
import math
from itertools import pairwise

import datasets
import matplotlib.pyplot as plt
import torch
import transformers
from datasets import load_dataset
from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, LlamaConfig

datasets.logging.set_verbosity_error()
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)  # raise it if your computer has cores to spare

NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"
tokenizer = AutoTokenizer.from_pretrained(NAME)
model = AutoModelForCausalLM.from_pretrained(NAME, dtype=torch.float32)
print(f"{sum(weights.numel() for weights in model.parameters()):,} weights, {len(tokenizer):,} tokens")

# %% [markdown]
# ## A first try
#
# `generate` lets the model continue a text. The next cell asks two questions in the most obvious way.

# %% aside=true
for question in ["What is the capital of France?", "What is the capital of Tajikistan?"]:
    prompt = tokenizer(f"Question: {question}\nAnswer:", return_tensors="pt")
    written = model.generate(**prompt, do_sample=False, max_new_tokens=10)
    print(repr(tokenizer.decode(written[0])))

# %% [markdown]
# To the first question the model says nothing. It only writes the token `<|im_end|>`, which ends an answer. Its answer
# to the second question is false: Islamabad is the capital of Pakistan.
#
# Is the model useless? Or did you ask in the wrong way? You cannot tell yet. Look inside first.
#
# The next cell makes two tiny models with random weights. One is built like SmolLM2, whose architecture is called
# Llama. The other is built like GPT-2. They know nothing, but they are fast and exact. The examples and the grader
# test your functions on them.


# %%
def tiny_model(kind):
    """A model of 40 tokens with random weights, built like Llama ("llama") or like GPT-2 ("gpt2")."""
    torch.manual_seed(7)
    if kind == "gpt2":
        config = GPT2Config(vocab_size=40, n_embd=16, n_layer=2, n_head=4, n_positions=64)
    else:
        config = LlamaConfig(
            vocab_size=40,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=64,
        )
    return AutoModelForCausalLM.from_config(config, dtype=torch.float64).eval()


def as_list(numbers):
    """The numbers of an array or a tensor as a list; anything else as it is."""
    return numbers.tolist() if hasattr(numbers, "tolist") else numbers


print(tiny_model("llama")(torch.tensor([[3, 1, 4]])).logits.shape)

# %% [markdown]
# ## 1. How surprised is the model?
#
# A language model does one thing. It reads tokens and gives a number to each token that may come next. Such a number
# is called a **logit**. Above, the model read three tokens and gave three rows of 40 logits: one row for each place.
# The row at a place was made from the tokens up to this place. So it speaks about the token **after** it.
#
# Logits are not probabilities. The function **softmax** turns a row of logits into probabilities, which add up to 1. A
# text has many tokens, and the product of many probabilities becomes too small for a computer. So one takes the
# natural logarithm, the **log-probability**, and adds instead of multiplying. A log-probability is 0 if the model was
# certain and far below 0 if it was surprised.
#
# Do not compute softmax first and the logarithm afterwards. If a probability is so small that the computer stores 0,
# its logarithm is minus infinity. `torch.log_softmax` does both in one step and does not lose anything.
#
# The first token of a text has nothing before it. No row speaks about it, so it gets no score.
#
# You only read the model here and do not train it. Inside `with torch.no_grad():` torch keeps nothing for training,
# which saves memory.


# %% exercise="tokens.score"
def token_logprobs(model, ids: list[int]) -> list[float]:
    """The log-probability of each token of `ids` but the first, given all the tokens before it.

    `model` is a causal language model of `transformers`; `ids` holds at least one token.
    The result has one number less than `ids`.
    """
    ### BEGIN SOLUTION
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0, :-1]
    scores = logits.log_softmax(dim=-1)
    return [scores[place, token].item() for place, token in enumerate(ids[1:])]
    ### END SOLUTION


# %% check="tokens.score"
@check.public("tokens.score")
def next_tokens_share_one(student, rng):
    """After the token 3, the probabilities of all 40 next tokens add up to 1."""
    tiny = tiny_model("llama")
    got = [as_list(student.token_logprobs(tiny, [3, token])) for token in range(40)]
    right = all(isinstance(one, list) and len(one) == 1 for one in got)
    expect(right, hint="Two tokens have one score.", input=[3, 0], got=got[0])
    total = sum(math.exp(one[0]) for one in got)
    expect(abs(total - 1) < 1e-9, hint="Are these log-probabilities?", input="[3, 0], [3, 1], …", got=total)


@check.public("tokens.score")
def one_token_has_no_score(student, rng):
    """A text of one token has no score."""
    got = as_list(student.token_logprobs(tiny_model("llama"), [5]))
    expect(got == [], hint="What stands before the first token?", input=[5], got=got)


check("tokens.score")

# %% [markdown]
# A log-probability with the sign turned around is a **surprise**. Divided by $\ln 2$ it is measured in bits. One bit
# is the surprise of one tossed coin. The figure shows the surprise of each token in three sentences.

# %% aside=true
SENTENCES = [
    "The capital of France is Paris.",
    "The capital of Tajikistan is Kabul.",
    "The capital of Tajikistan is Dushanbe.",
]

if check.done("tokens.score"):
    figure, axes = plt.subplots(1, 3, figsize=(7, 3), sharex=True, layout="constrained")
    for axis, sentence in zip(axes, SENTENCES, strict=True):
        ids = tokenizer.encode(sentence)
        bits = [-score / math.log(2) for score in token_logprobs(model, ids)]
        axis.barh(range(len(bits)), bits, color="0.4")
        axis.set_yticks(range(len(bits)), [tokenizer.decode([token]) for token in ids[1:]], fontsize=9)
        axis.set(xlabel="surprise in bits", ylim=(11, -0.6))
        axis.set_title(sentence.split(" is ")[1], fontsize=10)
    plt.show()

# %% [markdown]
# After `The capital of France is`, the word `Paris` hardly surprises the model. After `The capital of Tajikistan is`,
# the model is surprised by `Kabul`, which is false. It is surprised three times by `Dushanbe`, which is true: the
# name is cut into four tokens, and only the second one is easy. Remember this when you compare answers in section 7.
#
# ## 2. A text that is longer than the window
#
# SmolLM2 can see 8,192 tokens at once. Memory is often the narrower limit: on an old computer you may want to give
# it only 512. A longer text must be cut into windows. A **window** is a piece of the text that the model sees at
# once.
#
# The simplest cut puts one window behind the other. But at the beginning of each window the model has forgotten
# everything. It is surprised by words that it would have expected. The score becomes worse than the model is.
#
# So let the windows overlap. The second window begins `stride` tokens after the first one, and so on. The **stride**
# is smaller than the window. In each window only the tokens that no earlier window has scored are counted. The
# tokens before them are their **left context**: they are read, and not scored again.
#
# The figure shows a plan for 20 tokens with windows of 8 and a stride of 4. Light: read only. Dark: scored.

# %%
EXAMPLE = [(0, 8, 1), (4, 12, 8), (8, 16, 12), (12, 20, 16)]


def draw_plan(plan, length):
    """Draw each window of `plan` as a row: left context light, scored tokens dark."""
    _, axis = plt.subplots(figsize=(7, 0.6 + 0.35 * len(plan)), layout="constrained")
    for row, (begin, end, first) in enumerate(plan):
        axis.barh(row, first - begin, left=begin, color="0.85", edgecolor="black")
        axis.barh(row, end - first, left=first, color="0.35", edgecolor="black")
    axis.set(xlim=(0, length), xlabel="place in the text", ylabel="window", yticks=range(len(plan)))
    axis.set_xticks(range(0, length + 1, 4))
    axis.invert_yaxis()
    plt.show()


draw_plan(EXAMPLE, 20)

# %% [markdown]
# A plan is a list of windows. Each window is a triple `(begin, end, first)`. The model reads the tokens from `begin`
# to `end - 1`, and the tokens from `first` to `end - 1` are scored. A good plan has five properties:
#
# - every token but token 0 is scored exactly once, in the order of the text;
# - a window holds at most `window` tokens, all of them in the text;
# - each scored token has at least `window - stride` tokens of left context, or all the tokens before it;
# - there are as few windows as these rules permit: each window costs time;
# - a text of less than two tokens has an empty plan, because there is nothing to score.
#
# If the stride were as large as the window, the first token of each window would have no left context. It could not
# be scored. Many programs lose these tokens and do not say so. Yours refuses.


# %% exercise="windows.plan"
def windows(length: int, window: int, stride: int) -> list[tuple[int, int, int]]:
    """The plan for a text of `length` tokens: triples (begin, end, first) with the five properties above.

    Raises ValueError unless the stride is at least 1 and smaller than the window.
    """
    ### BEGIN SOLUTION
    if not 0 < stride < window:
        raise ValueError("The stride must be at least 1 and smaller than the window.")
    plan, begin, first = [], 0, 1
    while first < length:
        end = min(begin + window, length)
        plan.append((begin, end, first))
        begin, first = begin + stride, end
    return plan
    ### END SOLUTION


# %% check="windows.plan"
@check.public("windows.plan")
def the_plan_of_the_figure(student, rng):
    """Twenty tokens, a window of 8 and a stride of 4 give the plan of the figure."""
    got = student.windows(20, 8, 4)
    right = isinstance(got, list) and [tuple(one) for one in got] == EXAMPLE
    expect(right, hint="Compare row by row with the figure.", input="windows(20, 8, 4)", got=got)


@check.public("windows.plan")
def a_stride_like_the_window_is_refused(student, rng):
    """A stride that is as large as the window is refused."""
    with raises(ValueError, hint="What is the left context of the first token of a window?", input="windows(20, 8, 8)"):
        student.windows(20, 8, 8)


check("windows.plan")

# %% [markdown]
# ## 3. Perplexity
#
# **Perplexity** is the usual number for how well a model expects a text. Take the mean of the log-probabilities of
# all tokens, turn its sign around, and take the exponential:
#
# $$\text{perplexity} = \exp\left(-\frac{1}{n}\sum_{i=1}^{n}\ln p_i\right)$$
#
# A model that chooses blindly between 40 tokens has a perplexity of 40. A model that is always certain, and right,
# has a perplexity of 1.
#
# The mean is taken over **tokens**. If you have several texts, do not average their perplexities, and do not average
# the means of windows. A window with three tokens would count as much as a window with five hundred.
#
# Write two functions. The first one goes through a plan and collects the scores. It gets `score` as an argument: in
# this notebook a call of your own `token_logprobs`, in the grader another function. So a mistake in Exercise 1 costs
# you nothing here. The second one computes the perplexity of several texts together.


# %% exercise="perplexity.measure"
def text_logprobs(ids: list[int], plan: list[tuple[int, int, int]], score) -> list[float]:
    """The log-probabilities of a text, token 1 first, each from the window of `plan` that scores it.

    `score(tokens)` gives the log-probability of each of `tokens` but the first, as a list.
    """
    ### BEGIN SOLUTION
    found = []
    for begin, end, first in plan:
        found += score(ids[begin:end])[first - begin - 1 :]
    return found
    ### END SOLUTION


def perplexity(logprobs: list[list[float]]) -> float:
    """The perplexity of several texts together; each list holds the log-probabilities of one text.

    Raises ValueError if there is no log-probability at all.
    """
    ### BEGIN SOLUTION
    together = [value for text in logprobs for value in text]
    if not together:
        raise ValueError("There is no scored token in these texts.")
    return math.exp(-sum(together) / len(together))
    ### END SOLUTION


# %% check="perplexity.measure"
@check.public("perplexity.measure")
def two_windows_by_hand(student, rng):
    """With two windows, the scores come from the places that you find by hand."""

    def score(tokens):
        return [-(10 * left + token) for left, token in pairwise(tokens)]

    got = as_list(student.text_logprobs([1, 2, 3, 4, 5], [(0, 3, 1), (2, 5, 3)], score))
    expect(got == [-12, -23, -34, -45], hint="Which scores of the second window count?", input="1 2 3 4 5", got=got)


@check.public("perplexity.measure")
def a_blind_choice_of_forty(student, rng):
    """If each token had a probability of 1/40, the perplexity is 40."""
    got = as_list(student.perplexity([[math.log(1 / 40)] * 3]))
    right = isinstance(got, float) and abs(got - 40) < 1e-9
    expect(right, hint="Put three times ln(1/40) into the formula.", input="three tokens of 1/40", got=got)


check("perplexity.measure")

# %% [markdown]
# Now measure. The text is the beginning of the Universal Declaration of Human Rights, which you know from unit 4
# (`u04_tokenization`). The next cell computes its perplexity with smaller and larger windows: once without overlap,
# once with a stride of half a window.

# %% aside=true
declaration = load_dataset("ustod/udhr", split="train")
CODES = {"en": "English", "ru": "Russian", "tg": "Tajik"}
opening = {code: " ".join([r["text"] for r in declaration if r["lang"] == code and r["aligned"]][:4]) for code in CODES}
SIZES = [16, 32, 64, 128]


def score(tokens):
    """The log-probabilities of `tokens` by SmolLM2."""
    return token_logprobs(model, tokens)


def side_by_side(length, size):
    """Windows one behind the other; the first token of each is lost."""
    return [(at, min(at + size, length), at + 1) for at in range(0, length, size) if at + 1 < length]


if all(check.done(name) for name in ("tokens.score", "windows.plan", "perplexity.measure")):
    ids = tokenizer.encode(opening["en"])
    apart = [perplexity([text_logprobs(ids, side_by_side(len(ids), size), score)]) for size in SIZES]
    strided = [perplexity([text_logprobs(ids, windows(len(ids), size, size // 2), score)]) for size in SIZES]

    figure, axis = plt.subplots(figsize=(7, 3.4), layout="constrained")
    axis.plot(SIZES, apart, "k--s", label="windows without overlap")
    axis.plot(SIZES, strided, "k-o", label="stride of half a window")
    axis.set(xscale="log", yscale="log", xticks=SIZES, xticklabels=SIZES, ylim=(8, 70), yticks=[10, 20, 50])
    axis.set(yticklabels=[10, 20, 50], xlabel="tokens in a window", ylabel="perplexity")
    axis.minorticks_off()
    axis.legend()
    plt.show()
    print(f"English, {len(ids)} tokens, windows of 64: {apart[2]:.1f} without overlap, {strided[2]:.1f} with overlap")

# %% [markdown]
# It is the same model and the same text, and the perplexity depends on how you cut. A perplexity that is reported
# without its window and stride says nothing.
#
# Now the same paragraphs in three languages. The last column holds all bits of surprise together: what the whole text
# costs the model, whatever the number of tokens.

# %% aside=true
if all(check.done(name) for name in ("tokens.score", "windows.plan", "perplexity.measure")):
    print("language  tokens  perplexity   bits in all")
    for code, name in CODES.items():
        ids = tokenizer.encode(opening[code])
        scores = text_logprobs(ids, windows(len(ids), 512, 256), score)
        print(f"{name:9} {len(ids):5} {perplexity([scores]):11.1f} {-sum(scores) / math.log(2):13.0f}")

# %% [markdown]
# By perplexity the model seems to be better at Russian than at English. It is not. Russian words are cut into small
# pieces, and once the model has seen the beginning of a word, the rest is easy to guess. Perplexity counts surprise
# **per token**, and the tokens are not the same.
#
# The last column is fair: the paragraphs say the same. For the Russian text the model needs almost four times as many
# bits as for the English one, for the Tajik text seven times as many. Compare perplexities only if the tokenizer
# **and** the text are the same.
#
# The English number is very low for another reason too. The Declaration is on thousands of web pages, and very probably
# the model has read it many times in training. This is called **contamination**, and unit 10 deals with it.
#
# ## 4. Many questions at once
#
# A list of tokens is also called a **sequence**. A computer works best on a **batch**: several sequences in one
# tensor. They must then be equally long, so short ones are filled up with a padding token. To let a model continue
# the texts, put the padding on the **left**: the last token of each text must stand at the end of its row, because
# the next token comes there.
#
# The model must not read the padding. So a batch has three tensors of the same shape:
#
# - `input_ids`, the tokens, with padding on the left;
# - `attention_mask`, which is 1 at a real token and 0 at padding. The mask tells the attention, which you know from
#   unit 5 (`u05_transformer`), what to ignore;
# - `position_ids`, the **position** of each token in its own text: 0, 1, 2 and so on from its first real token. The
#   padding may get any position that is not negative, such as 0: nobody reads it.
#
# There is a trap. SmolLM2 has no padding token of its own and uses the end token `<|im_end|>` for it. A chat holds
# this token inside the text too. You cannot see from the number of a token whether it is padding. You know it from
# the lengths.


# %% exercise="batch.left"
def left_batch(sequences: list[list[int]], pad: int) -> dict[str, torch.Tensor]:
    """A batch of `sequences`, which hold at least one token each, filled up with `pad` on the left.

    The result is a plain dictionary with the keys input_ids, attention_mask and position_ids. Its tensors hold whole
    numbers, one row for each sequence, as wide as the longest sequence.
    """
    ### BEGIN SOLUTION
    longest = max(len(sequence) for sequence in sequences)
    ids = torch.full((len(sequences), longest), pad)
    mask = torch.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, longest - len(sequence) :] = torch.tensor(sequence)
        mask[row, longest - len(sequence) :] = 1
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    return {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
    ### END SOLUTION


# %% check="batch.left"
@check.public("batch.left")
def two_short_sequences(student, rng):
    """A sequence of one token beside one of three gets two padding tokens on the left."""
    got = student.left_batch([[7], [4, 5, 6]], 2)
    right = hasattr(got, "keys") and sorted(got) == ["attention_mask", "input_ids", "position_ids"]
    expect(right, hint="Give back a dictionary with three keys.", got=got)
    for name, rows in [
        ("input_ids", [[2, 2, 7], [4, 5, 6]]),
        ("attention_mask", [[0, 0, 1], [1, 1, 1]]),
        ("position_ids", [[0, 0, 0], [0, 1, 2]]),
    ]:
        tensor = got[name]
        right = torch.is_tensor(tensor) and tuple(tensor.shape) == (2, 3)
        expect(right, hint="Make a tensor with two rows of three numbers.", input=name, got=tensor)
        if name == "position_ids":
            tensor = tensor.clone()
            tensor[0, :2] = 0  # any position will do for padding
        expect(tensor.tolist() == rows, hint="Write down this tensor by hand.", input=name, got=tensor.tolist())


check("batch.left")

# %% [markdown]
# What happens if you leave something out? The next cell compares the next token in a batch with the next token of the
# same text alone. It does so for SmolLM2 and for a tiny GPT-2.

# %% aside=true
TEXTS = [
    "The capital of France is",
    "Tajikistan grows cotton in the valleys of the Vakhsh and the Panj, where the summers are long, and",
]

if check.done("batch.left"):
    tiny = tiny_model("gpt2")
    tries = {
        "SmolLM2": (model, [tokenizer.encode(text) for text in TEXTS]),
        "tiny GPT-2": (tiny, [[3, 1], [4, 1, 5, 9]]),
    }
    print("largest error of a log-probability for the first text of the batch\n")
    print("model       all three   without positions   without mask and positions")
    with torch.no_grad():
        for name, (judged, sequences) in tries.items():
            alone = judged(torch.tensor(sequences[:1])).logits[0, -1].log_softmax(-1)
            line = f"{name:12}"
            for left_out in [(), ("position_ids",), ("position_ids", "attention_mask")]:
                batch = {key: value for key, value in left_batch(sequences, 2).items() if key not in left_out}
                together = judged(**batch).logits[0, -1].log_softmax(-1)
                line += f"{(together - alone).abs().max().item():<16.6f}"
                if name == "SmolLM2" and len(left_out) == 2:
                    said = [tokenizer.decode([row.argmax()]) for row in (alone, together)]
            print(line)
    print(f"\n{TEXTS[0]} …  alone:{said[0]}   with padding and no mask:{said[1]}")

# %% [markdown]
# Without the mask the model reads the padding as text, and the capital of France is gone. No error is raised.
#
# Without the positions SmolLM2 gives the same answer, and GPT-2 does not. The reason is in unit 5: the Llama
# architecture turns its vectors with RoPE, and only the **distance** between two tokens counts. Shift a whole text,
# and nothing changes. GPT-2 has a table with a vector for each place. Code that was tested on one model may be wrong
# for another.
#
# ## 5. Let the model write
#
# To write, the model needs a loop. Ask for the logits of the next token, choose a token, put it behind the text, and
# ask again. The simplest choice is the token with the largest logit. This is called **greedy decoding**. It is what
# `generate` does with `do_sample=False`.
#
# The loop ends for a text when the model writes the end token, or when enough tokens have been written. In a batch
# each text ends by itself. An end token that already stood in the prompt does not count.
#
# Your function gets `make_batch`, which makes a batch of sequences like your `left_batch`. Give the result to the
# model as `model(**batch)`.


# %% exercise="greedy.write"
def greedy(model, prompts: list[list[int]], new_tokens: int, end: int, make_batch) -> list[list[int]]:
    """The tokens that `model` writes behind each prompt by greedy decoding, without the prompt.

    At most `new_tokens` for each prompt. Where the model writes `end`, this token is the last one of the answer.
    `make_batch(sequences)` gives the arguments of the model for a batch of lists of tokens. `prompts` stay as they are.
    """
    ### BEGIN SOLUTION
    answers: list[list[int]] = [[] for _ in prompts]
    for _ in range(new_tokens):
        rows = [row for row, answer in enumerate(answers) if end not in answer]
        if not rows:
            break
        batch = make_batch([prompts[row] + answers[row] for row in rows])
        with torch.no_grad():
            tokens = model(**batch).logits[:, -1].argmax(dim=-1).tolist()
        for place, row in enumerate(rows):
            answers[row].append(tokens[place])
    return answers
    ### END SOLUTION


# %% check="greedy.write"
@check.public("greedy.write")
def three_tokens_as_the_library_writes_them(student, rng):
    """Behind one prompt, three tokens are those that `generate` writes."""
    tiny, prompt = tiny_model("llama"), [3, 1, 4]
    written = tiny.generate(torch.tensor([prompt]), do_sample=False, max_new_tokens=3, eos_token_id=39, pad_token_id=0)

    def make_batch(sequences):
        ids = torch.tensor(sequences)
        places = torch.arange(ids.shape[1])[None]
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "position_ids": places}

    got = student.greedy(tiny, [prompt], 3, 39, make_batch)
    right = written[0, 3:].tolist()
    expect(got == [right], hint="Take one step of the loop by hand.", input=prompt, got=got, right=[right])


check("greedy.write")

# %% [markdown]
# Each step of this loop reads the whole text again. `generate` does not: it keeps what it has computed for the
# earlier tokens. That is called a KV cache, and you build one in unit 12.
#
# ## 6. Ask as the model was trained
#
# The name of the model ends in `Instruct`. After its training on plain text it was trained on conversations. All of
# them were written in one form, its **chat template**. The template is part of the tokenizer. Here it is.

# %%
print(tokenizer.chat_template)

# %% [markdown]
# It is written in a small language called Jinja. In words: a conversation is a list of messages. Each message has a
# **role** and a `content`. The role is `system` for the instructions, `user` for the human, `assistant` for the
# model. A message becomes `<|im_start|>`, the role, a line break, the content, `<|im_end|>`, and a line break.
#
# If the first message is not from `system`, the template puts a system message of its own before it.
#
# At the end comes the **generation prompt**: the beginning of a message of the assistant, up to the place where its
# words begin. Without it the model may continue the words of the user. At the start of this unit you gave the model no
# template at all.
#
# `<|im_start|>` and `<|im_end|>` are special tokens: one token each.
#
# Write the template by hand once, in `render_chat`. For real work use the tokenizer's own template, with the method
# `apply_chat_template`. It can give you tokens at once, and it has an argument for the generation prompt. In
# `transformers` 5 it returns a dictionary with more than the tokens, unless you pass `return_dict=False`.
#
# There is one more trap. Many tokenizers, those of Llama, Mistral and Gemma for example, put a begin token before
# every text that they encode. Their templates write the begin token too. If you first make a text with the template
# and then encode the text, it stands there twice. The answers may become worse, and nothing warns you. SmolLM2's
# tokenizer adds no token. Your function must be right for both kinds: the next cell makes one of the other kind.

# %%
DEFAULT_SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"


def with_begin_token():
    """A copy of the tokenizer that puts <|endoftext|> before every text, as Llama's does, with another template."""
    other = copy.deepcopy(tokenizer)
    other.bos_token = "<|endoftext|>"
    other.backend_tokenizer.post_processor = TemplateProcessing(
        single="<|endoftext|> $A", special_tokens=[("<|endoftext|>", 0)]
    )
    other.chat_template = (
        "{{ bos_token }}{% for message in messages %}[{{ message['role'] }}] {{ message['content'] }}\n{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    return other


# %% exercise="chat.template"
def render_chat(messages: list[dict[str, str]], reply: bool) -> str:
    """The text of a conversation in SmolLM2's chat template, written without the tokenizer.

    `messages` holds at least one message. With `reply` the generation prompt follows at the end.
    """
    ### BEGIN SOLUTION
    if messages[0]["role"] != "system":
        messages = [{"role": "system", "content": DEFAULT_SYSTEM}, *messages]
    text = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
    return text + "<|im_start|>assistant\n" if reply else text
    ### END SOLUTION


def chat_ids(tokenizer, messages: list[dict[str, str]]) -> list[int]:
    """The tokens of a conversation in the chat template of any `tokenizer`, with the generation prompt."""
    ### BEGIN SOLUTION
    return tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    ### END SOLUTION


# %% check="chat.template"
@check.public("chat.template")
def a_short_conversation(student, rng):
    """A system message and a question become the text that you write down by hand."""
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Салом"}]
    got = student.render_chat(messages, False)
    right = "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nСалом<|im_end|>\n"
    expect(got == right, hint="Write down both messages by hand.", input=messages, got=got)


@check.public("chat.template")
def tokens_of_a_question(student, rng):
    """The tokens of a question are a list of numbers, and the first one is `<|im_start|>`."""
    got = student.chat_ids(tokenizer, [{"role": "user", "content": "Салом"}])
    right = isinstance(got, list) and all(isinstance(token, int) for token in got) and got[:1] == [1]
    expect(right, hint="What does `apply_chat_template` return?", input="Салом", got=got)


check("chat.template")

# %% [markdown]
# Now ask again, with your own loop and the right template. Six questions go in one batch.

# %% aside=true
QUESTIONS = [
    "What is the capital of France?",
    "What is the capital of Tajikistan?",
    "Which river flows along the border between Tajikistan and Afghanistan?",
    "When is cotton sown in Tajikistan?",
    "What is the Nurek Dam?",
    "Пойтахти Тоҷикистон кадом шаҳр аст?",
]


def make_batch(sequences):
    """Your batch, with SmolLM2's padding token."""
    return left_batch(sequences, tokenizer.pad_token_id)


if all(check.done(name) for name in ("batch.left", "greedy.write", "chat.template")):
    prompts = [chat_ids(tokenizer, [{"role": "user", "content": question}]) for question in QUESTIONS]
    for question, answer in zip(QUESTIONS, greedy(model, prompts, 20, tokenizer.eos_token_id, make_batch), strict=True):
        print("?", question)
        print("→", tokenizer.decode(answer, skip_special_tokens=True).replace("\n", " ") + "\n")

# %% [markdown]
# The model now answers in sentences. `Paris` is right. Most of the rest is fluent and false: Herat is a city in
# Afghanistan, the river on the border is the Panj, and the Nurek Dam was built on the Vakhsh between 1961 and 1980. To
# the question about cotton there is a sentence, and no answer in it. The Tajik question is only repeated. Nothing in
# the form of these sentences tells you which of them is true.
#
# These are six questions. Is it bad luck with six questions, or does the model not know Tajikistan? You need more
# questions, and a way to mark them that does not depend on how an answer is worded.
#
# ## 7. Let the model choose
#
# In a **multiple-choice question** the answers are given and one of them is right. The model does not have to write.
# You compute the log-probability of each answer behind the question, and take the answer with the largest score.
#
# Only the tokens of the answer count. The question is read as left context and not scored: it is the same for all
# answers.
#
# But the answers are not equally long. Each further token makes the sum smaller. `Dushanbe` has four tokens and
# `Kabul` has one. There are three ways of scoring:
#
# - `"sum"`: the sum of the log-probabilities. It asks what the model would say. It favours short answers;
# - `"token"`: the sum divided by the number of tokens of the answer. It may favour long rare names: their last tokens
#   are easy to guess once the first ones are there;
# - `"byte"`: the sum divided by the number of UTF-8 bytes of the answer. It does not depend on the tokenizer. So
#   models with different tokenizers can be compared.
#
# Which one is best depends on the question. So you must choose **before** you see the result, and say which one you
# took.


# %% exercise="choice.score"
def choice_scores(prompt: list[int], choices: list[str], encode, score, per: str) -> list[float]:
    """The score of each of `choices` behind the tokens `prompt`, in their order; the largest is the model's choice.

    `encode(text)` gives the tokens of a choice. `score(tokens)` gives the log-probability of each of `tokens` but the
    first, as a list. `per` is "sum", "token" or "byte". The prompt holds at least one token, so does each choice.
    """
    ### BEGIN SOLUTION
    scores = []
    for choice in choices:
        tokens = encode(choice)
        total = sum(score(prompt + tokens)[-len(tokens) :])
        size = {"sum": 1, "token": len(tokens), "byte": len(choice.encode())}
        scores.append(total / size[per])
    return scores
    ### END SOLUTION


# %% check="choice.score"
@check.public("choice.score")
def two_choices_by_hand(student, rng):
    """If every letter is a token with a log-probability of -1, the sum of `обу` is -3, and each token has -1."""

    def encode(text):
        return [ord(letter) for letter in text]

    def score(tokens):
        return [-1.0] * (len(tokens) - 1)

    for per, right in [("sum", [-2, -3]), ("token", [-1, -1]), ("byte", [-0.5, -0.5])]:
        got = as_list(student.choice_scores([1, 2, 3], ["об", "обу"], encode, score, per))
        expect(got == right, hint="Which tokens count, and what is divided by what?", input=per, got=got)


check("choice.score")

# %% [markdown]
# The next cell holds the questions. They were written for this course: 24 about Tajikistan, 24 of the same kinds
# about the rest of the world, and 8 in Tajik. The first answer is always the right one. Your function does not see
# the order.

# %%
TAJIKISTAN = """
What is the capital of Tajikistan? | Dushanbe | Tashkent | Bishkek | Ashgabat
Which city in the north of Tajikistan lies on the Syr Darya? | Khujand | Khorog | Kulob | Bokhtar
Which town is the centre of the Pamir region of Tajikistan? | Khorog | Khujand | Hisor | Kulob
Near which town of Tajikistan is the ancient settlement of Sarazm? | Panjakent | Khorog | Kulob | Dushanbe
Which river forms much of the border of Tajikistan and Afghanistan? | the Panj | the Volga | the Syr Darya | the Indus
On which river does the Nurek Dam stand? | the Vakhsh | the Danube | the Zarafshon | the Syr Darya
Which two rivers form the Amu Darya? | Panj and Vakhsh | Tigris and Euphrates | Volga and Ural | Syr Darya and Zarafshon
Into which sea did the Amu Darya flow in 1950? | the Aral Sea | the Black Sea | the Red Sea | the Arabian Sea
Where does most water in Tajikistan's rivers come from in summer? | melting snow and glaciers | rain | the sea | canals
What is the highest mountain in Tajikistan? | Ismoil Somoni Peak | Mount Everest | Mount Elbrus | Mount Ararat
Which mountains cover the east of Tajikistan? | the Pamirs | the Alps | the Andes | the Urals
Which lake lies high in the Pamirs? | Karakul | Baikal | Victoria | Balkhash
What is the money of Tajikistan called? | somoni | tenge | som | rouble
Which plant is grown in the Vakhsh valley for its fibre? | cotton | tea | rubber | bamboo
In which month do farmers in Tajikistan sow cotton? | April | October | December | January
In which month do farmers in Tajikistan pick cotton? | September | March | May | January
Which part of the cotton plant holds the fibre? | the boll | the root | the leaf | the stem
What do you call the machine that separates cotton fibre from the seeds? | a gin | a mill | a loom | a press
What makes irrigated soil useless if it is never drained? | salt | gold | iron | coal
Which country lies to the south of Tajikistan? | Afghanistan | Kazakhstan | Mongolia | Russia
Which country lies to the east of Tajikistan? | China | Uzbekistan | Iran | Turkey
To which language is Tajik closest? | Persian | Turkish | Russian | Chinese
In which alphabet is Tajik written in Tajikistan today? | Cyrillic | Latin | Greek | Hebrew
What was Rudaki? | a poet | a general | a physician | a merchant
"""
WORLD = """
What is the capital of France? | Paris | London | Madrid | Berlin
What is the capital of Japan? | Tokyo | Beijing | Seoul | Bangkok
What is the capital of Italy? | Rome | Vienna | Athens | Lisbon
Which city in the United States is called the Big Apple? | New York | Chicago | Boston | Los Angeles
Which river flows through London? | the Thames | the Seine | the Rhine | the Danube
On which river does the Hoover Dam stand? | the Colorado | the Mississippi | the Hudson | the Nile
Which river flows through Egypt? | the Nile | the Amazon | the Congo | the Ganges
Into which ocean does the Amazon flow? | the Atlantic Ocean | the Pacific Ocean | the Indian Ocean | the Arctic Ocean
Where does the water in rain come from? | evaporation from the sea | the Moon | stones | the roots of trees
What is the highest mountain in the world? | Mount Everest | Mont Blanc | Mount Kilimanjaro | Mount Fuji
Which mountains lie between France and Spain? | the Pyrenees | the Andes | the Alps | the Urals
Which lake is the largest in Africa? | Lake Victoria | Lake Baikal | Lake Superior | Lake Geneva
What is the money of the United States called? | dollar | pound | euro | yen
Which plant is bread made from? | wheat | cotton | tea | tobacco
In which month is Christmas celebrated in England? | December | May | July | March
How many days are there in a week? | seven | five | ten | twelve
Which part of a plant is in the soil? | the root | the flower | the fruit | the leaf
What do you call the instrument that measures temperature? | a thermometer | a barometer | a compass | a clock
Which gas do people need to breathe? | oxygen | helium | methane | argon
Which country lies to the north of the United States? | Canada | Brazil | France | India
Which country has Moscow as its capital? | Russia | Poland | Germany | Sweden
Which language do most people in Brazil speak? | Portuguese | Spanish | English | French
Which planet is called the Red Planet? | Mars | Venus | Jupiter | Saturn
What was William Shakespeare? | a writer | a general | a physician | a merchant
"""
IN_TAJIK = """
Пойтахти Тоҷикистон кадом шаҳр аст? | Душанбе | Тошканд | Бишкек | Ашқобод
Пойтахти Фаронса кадом шаҳр аст? | Париж | Лондон | Мадрид | Берлин
Неругоҳи Норак дар кадом дарё сохта шудааст? | Вахш | Дунай | Зарафшон | Сирдарё
Пули миллии Тоҷикистон чӣ ном дорад? | сомонӣ | тенге | сом | рубл
Дар кадом моҳ деҳқонони Тоҷикистон пахта мекоранд? | апрел | октябр | декабр | январ
Як ҳафта чанд рӯз дорад? | ҳафт | панҷ | даҳ | дувоздаҳ
Нонро аз орди кадом растанӣ мепазанд? | гандум | пахта | чой | тамоку
Тоҷикистон дар ҷануб бо кадом кишвар ҳамсарҳад аст? | Афғонистон | Қазоқистон | Муғулистон | Русия
"""


def read_questions(text):
    """The questions of `text`, each as a list: the question, then its answers, the right one first."""
    return [[part.strip() for part in line.split("|")] for line in text.strip().split("\n")]


SETS = {"world": read_questions(WORLD), "Tajikistan": read_questions(TAJIKISTAN), "in Tajik": read_questions(IN_TAJIK)}
print({name: len(questions) for name, questions in SETS.items()})

# %% [markdown]
# ## 8. Knowing or guessing?
#
# Somebody who knows nothing and guesses among four answers gets one in four right, on average. This is the **chance
# level**. With 24 questions it is 6. But whoever is lucky gets 8 or 9. So ask: how probable is it that pure guessing
# gets **at least** as many right as the model did?
#
# With $n$ questions and $k$ answers each, pure guessing has probability $p = 1/k$ at each question. Exactly $j$ hits
# happen with probability $\binom{n}{j} p^j (1-p)^{n-j}$. Add this up for all numbers of hits from the observed one to
# $n$.
#
# If the result is large, say more than 0.05, you have no evidence that the model knows anything. It is not a proof
# that it knows nothing. Unit 10 says more about such decisions.


# %% exercise="luck.judge"
def luck(right: int, questions: int, options: int) -> float:
    """The probability that pure guessing gets at least `right` of `questions` right, with `options` answers each."""
    ### BEGIN SOLUTION
    p, most = 1 / options, questions + 1
    return sum(math.comb(questions, hits) * p**hits * (1 - p) ** (questions - hits) for hits in range(right, most))
    ### END SOLUTION


# %% check="luck.judge"
@check.public("luck.judge")
def two_coins(student, rng):
    """With two questions and two answers each, a guesser gets at least one right three times out of four."""
    got = as_list(student.luck(1, 2, 2))
    right = isinstance(got, float) and abs(got - 0.75) < 1e-9
    expect(right, hint="Write down the four possible outcomes.", input="luck(1, 2, 2)", got=got)


check("luck.judge")

# %% [markdown]
# Everything is in place. The next cell takes half a minute. It reads the four answers of a question in one batch,
# marks them in each of the three ways, and says how probable the result is by luck. The luck is computed for
# `"byte"`: this is the way that we fix here, before we look.
#
# The prompt is the plain form of the first try, `Question: … Answer:`. Here the model does not have to begin to speak:
# the answers are given.
#
# The last line is a **control**: a run that shows what comes out without the thing that you want to measure. It has the
# same answers about Tajikistan, but no question: the model sees only `Answer:`. What it gets right there, it did not
# get right by knowing.


# %% aside=true
def scores_of_batch(sequences):
    """The log-probabilities of several sequences, computed together in your batch."""
    batch = make_batch(sequences)
    with torch.no_grad():
        scores = model(**batch).logits[:, :-1].log_softmax(-1)
    scores = scores.gather(2, batch["input_ids"][:, 1:, None])[:, :, 0]
    rows = zip(sequences, scores.tolist(), strict=True)
    return {tuple(tokens): row[len(row) - len(tokens) + 1 :] for tokens, row in rows}


def count_right(questions, ways, with_question=True):
    """How many questions SmolLM2 answers rightly, for each way of scoring."""
    right = dict.fromkeys(ways, 0)
    for question, *answers in questions:
        prompt = tokenizer.encode(f"Question: {question}\nAnswer:" if with_question else "Answer:")
        choices = [" " + answer for answer in answers]
        known = scores_of_batch([prompt + tokenizer.encode(choice) for choice in choices])
        for way in ways:
            scores = choice_scores(prompt, choices, tokenizer.encode, lambda tokens: known[tuple(tokens)], way)
            right[way] += max(range(len(choices)), key=scores.__getitem__) == 0
    return right


WAYS = ("sum", "token", "byte")

if all(check.done(name) for name in ("batch.left", "choice.score", "luck.judge")):
    results = {name: count_right(questions, WAYS) for name, questions in SETS.items()}
    results["no question"] = count_right(SETS["Tajikistan"], WAYS, with_question=False)
    print("questions     of   right by sum, token, byte      by luck (byte)")
    for name, right in results.items():
        number = len(SETS.get(name, SETS["Tajikistan"]))
        hits = "".join(f"{right[per]:8}" for per in WAYS)
        print(f"{name:12} {number:3}  {hits} {luck(right['byte'], number, 4):20.7f}")

# %% aside=true
if all(check.done(name) for name in ("batch.left", "choice.score", "luck.judge")):
    figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
    for place, per in enumerate(WAYS):
        shares = [right[per] / len(SETS.get(name, SETS["Tajikistan"])) for name, right in results.items()]
        heights = [row + 0.25 * (place - 1) for row in range(len(results))]
        axis.barh(heights, shares, height=0.22, color=["0.2", "0.5", "0.8"][place], edgecolor="black", label=per)
    axis.axvline(0.25, color="black", linestyle=":", label="chance level")
    axis.set_yticks(range(len(results)), results)
    axis.set(xlim=(0, 1), xlabel="share of right answers")
    axis.invert_yaxis()
    axis.legend(loc="lower right")
    plt.show()

# %% [markdown]
# Here is the answer to the question of this unit.
#
# The model knows something about the world: it gets 17 to 20 of 24 questions right, which nobody does by luck. About
# Tajikistan it gets 6 to 9 of 24, depending on how you count. A guesser gets 6. Without reading the questions it gets
# 2 to 8. In Tajik it gets 3 of 8, where a guesser gets 2: luck does that in one case out of three.
#
# So this model cannot answer questions about Tajikistan. The reason is not the old computer: on a fast one the answers
# are the same. The model is small, and it has read little about Tajikistan. A larger model has read more, and it must
# pass the same test before you believe it. In unit 8 you train this model further, and in unit 9 you give it the facts
# to read.
#
# ## Where this goes wrong
#
# **Choosing the way of scoring afterwards.** About Tajikistan the model has 9 right of 24 by `"token"` and 6 by
# `"sum"`. Whoever tries three ways and reports the best one has had three chances to be lucky. Fix the way first.
#
# **Twenty-four questions.** With so few questions, one answer more or less is four percent. Two models with 17 and 19
# right are not different. Unit 10 shows how large a difference must be.
#
# **The answers give it away.** Some answers can be guessed from the answers alone: `the sea` is shorter than the
# others, `Dushanbe` is more famous than `Kulob`. The line without a question measures this. Always run it.
#
# **A text cut by text.** The tokens of `Answer:` and of ` Dushanbe` put together are the tokens of the whole text only
# if the cut is at the right place. Here the space belongs to the answer. The next cell shows what happens otherwise.

# %%
for left, right in [("Answer:", " Dushanbe"), ("Answer: ", "Dushanbe")]:
    apart = tokenizer.encode(left) + tokenizer.encode(right)
    together = tokenizer.encode(left + right)
    print(f"{left!r} + {right!r}: {len(apart)} tokens, as one text {len(together)}, equal: {apart == together}")

# %% [markdown]
# With the space at the end of the prompt, the model sees tokens that it has never seen in training: a space alone, and
# a word without its space. The scores are then meaningless, and nothing warns you.
#
# **The mean of batches.** The `loss` that `transformers` reports for a batch is the mean over the tokens of this
# batch. The mean of such means is not the mean over all tokens, if the batches differ in size.
#
# **Padding in a mean.** If you give the model `labels` to get a loss, padding must be marked with -100 there.
# Otherwise the model is also scored on its padding, which is easy to guess, and looks better than it is.
#
# **A question with a special token in it.** Whoever types `<|im_end|>` into a question ends it, and may write the next
# message in the name of the system. Unit 11 is about this.
#
# **Another prompt, another result.** With the chat template instead of `Question: … Answer:` some of the answers
# change, and so do the numbers in the table. A result belongs to a model **and** a prompt. Unit 10 measures how much
# this matters.
#
# **Sampling.** A web page that chats usually does not decode greedily. It draws a token at random, and each run gives
# another answer. For a measurement, decode greedily, or repeat the run many times.
#
# ## What would you do with your own data?
#
# Think of questions that your library, your farm or your clinic is really asked.
#
# 1. Write twenty of them, with four answers each. Let the wrong answers be as long and as plausible as the right one.
# 2. Write twenty questions of the same kind about the rest of the world. They tell you whether the model is weak or
#    your way of asking is wrong.
# 3. Fix the way of scoring, the prompt and the number of questions before you run anything. Write them down.
# 4. Run the control without the questions. Compute the luck.
# 5. What result would make you use the model, and for what? Who is hurt if it is wrong in one answer out of five?
#
# Keep the questions secret. A test that is published on the internet is training text for the next model.
