"""Hidden checks of unit 07."""

import math
from fractions import Fraction
from functools import lru_cache
from itertools import product
from numbers import Integral, Real

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, LlamaConfig

from autograder.student import check, expect, raises

NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"
VOCABULARY = 40


@lru_cache(maxsize=1)
def smollm2_tokenizer():
    return AutoTokenizer.from_pretrained(NAME)


# Models. The same random weights twice: here, for the oracle, and where the learner's code runs.


def config_of(kind):
    if kind == "gpt2":
        return GPT2Config(vocab_size=VOCABULARY, n_embd=16, n_layer=2, n_head=4, n_positions=64)
    return LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
    )


def random_model(rng, kind, spread=0.3):
    """A model with weights large enough that its next tokens differ from place to place."""
    model = AutoModelForCausalLM.from_config(config_of(kind), dtype=torch.float64).eval()
    with torch.no_grad():
        for weights in model.parameters():
            weights.normal_(0, spread, generator=rng.torch)
    return model


def theirs_like(student, model, kind):
    """A model with the weights of `model` in the learner's process."""
    theirs = student.tiny_model(kind)
    theirs.load_state_dict({name: weights.clone() for name, weights in model.state_dict().items()})
    return theirs


def last_logits(model, ids):
    """The logits behind the last of `ids`, without padding or batch."""
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0, -1].numpy()


def log_softmax(logits):
    logits = np.asarray(logits, dtype=np.float64)
    top = logits.max()
    return logits - top - math.log(np.exp(logits - top).sum())


def random_ids(rng, length, without=()):
    return [token for token in rng.choices(range(VOCABULARY), k=length + 60) if token not in without][:length]


# What comes back


def numbers(value):
    """A learner's list, array or tensor as a list of floats, or None if it is anything else."""
    if torch.is_tensor(value) or isinstance(value, np.ndarray):
        if value.ndim != 1:
            return None
        value = value.tolist()
    if not isinstance(value, (list, tuple)):
        return None
    found = [number(one) for one in value]
    return None if any(one is None for one in found) else found


def number(value):
    """A learner's number as a float, or None if it is anything else."""
    if torch.is_tensor(value) or isinstance(value, (np.ndarray, np.generic)):
        value = value.item() if value.ndim == 0 else None
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else None


def tokens(value):
    """A learner's list of tokens, or None."""
    if torch.is_tensor(value) or isinstance(value, np.ndarray):
        value = value.tolist()
    right = isinstance(value, (list, tuple)) and all(isinstance(t, Integral) and not isinstance(t, bool) for t in value)
    return [int(token) for token in value] if right else None


def near(got, right, slack=1e-6):
    return len(got) == len(right) and all(abs(a - b) <= slack * max(1, abs(b)) for a, b in zip(got, right, strict=True))


# 1. Score each token


def scored(student, model, ids):
    got = student.token_logprobs(model, list(ids))
    found = numbers(got)
    expect(found is not None, hint="Give back a list of numbers.", input=ids, got=got)
    return found


# Sums of log-probabilities by SmolLM2 in float32, measured one token at a time, each from the text before it alone.
MEASURED = {
    "Snow from the high mountains feeds the canals.": -49.086,
    "She bought two melons and a loaf of bread at the bazaar.": -54.439,
    "The old teacher walked slowly through the apricot garden.": -59.281,
    "In winter the road over the pass is closed for five months.": -60.020,
}


@check("tokens.score", points=3, seconds=30)
def each_token_is_scored_by_what_stands_before_it(student, rng):
    """The score of a token is its log-probability after exactly the tokens before it."""
    for kind in ("llama", "gpt2"):
        ours = random_model(rng, kind)
        theirs = theirs_like(student, ours, kind)
        for length in (2, 3, 5, 9):
            ids = random_ids(rng, length)
            right = [log_softmax(last_logits(ours, ids[:place]))[ids[place]] for place in range(1, length)]
            got = scored(student, theirs, ids)
            expect(
                near(got[1 - length :], right),  # how many there must be is asked for by the next check
                hint="Give the model only the first token, and look at the probability of the second.",
                input=ids,
                got=got,
            )
    sentence, right = rng.choice(sorted(MEASURED.items()))
    got = scored(student, student.model, smollm2_tokenizer().encode(sentence))
    expect(
        abs(sum(got) - right) < 0.3,
        hint="These are the scores of SmolLM2. Does your function work for a vocabulary of 49,152 tokens?",
        input=sentence,
        got=got,
    )


@check("tokens.score", points=1)
def every_token_but_the_first_has_a_score(student, rng):
    """There is one score for every token but the first."""
    theirs = student.tiny_model("llama")
    for length in range(1, 7):
        ids = random_ids(rng, length)
        got = scored(student, theirs, ids)
        expect(len(got) == length - 1, hint="Which tokens have something before them?", input=ids, got=got)


@check("tokens.score", points=1)
def a_very_improbable_token_has_a_finite_score(student, rng):
    """A token that the model holds for nearly impossible has a score that is very low, and still a number."""
    ours = random_model(rng, "llama")
    with torch.no_grad():
        ours.lm_head.weight.mul_(5000)
    theirs = theirs_like(student, ours, "llama")
    for length in (2, 4, 8):
        ids = random_ids(rng, length)
        got = scored(student, theirs, ids)
        expect(
            all(math.isfinite(score) for score in got),
            hint="What is the logarithm of a probability that the computer stores as 0?",
            input=ids,
            got=got,
        )


# 2. Plan overlapping windows


def planned(student, length, window, stride):
    got = student.windows(length, window, stride)
    call = f"windows({length}, {window}, {stride})"
    right = isinstance(got, (list, tuple)) and all(tokens(one) is not None and len(one) == 3 for one in got)
    expect(right, hint="Give back a list of triples of whole numbers.", input=call, got=got)
    return call, [tuple(map(int, one)) for one in got]


def cases_of_windows(rng):
    """Lengths, windows and strides, small ones first."""
    cases = [(length, window, stride) for length in range(12) for window in (2, 3, 5) for stride in range(1, window)]
    for _ in range(30):
        window = rng.randint(2, 40)
        cases.append((rng.randint(0, 200), window, rng.randint(1, window - 1)))
    return cases


@check("windows.plan", points=1)
def every_token_is_scored_exactly_once(student, rng):
    """Every token but token 0 is scored exactly once, in the order of the text."""
    for case in cases_of_windows(rng):
        call, plan = planned(student, *case)
        places = [place for _, end, first in plan for place in range(first, end)]
        expect(
            places == list(range(1, case[0])),
            hint="List the places from `first` to `end - 1` of all windows.",
            input=call,
            got=plan,
            scored=places,
        )


@check("windows.plan", points=1)
def every_scored_token_has_its_left_context(student, rng):
    """Each scored token has enough tokens before it in its window, or all tokens of the text before it."""
    for length, window, stride in cases_of_windows(rng):
        call, plan = planned(student, length, window, stride)
        short = [one for one in plan if one[2] < one[1] and one[2] - one[0] < min(window - stride, one[2])]
        expect(
            not short,
            hint="How many tokens stand before the first scored token of the window {_window}?",
            input=call,
            got=plan,
            _window=short[:1],
        )


@check("windows.plan", points=1)
def windows_fit_and_none_is_wasted(student, rng):
    """A window lies in the text and holds at most `window` tokens, and there are as few windows as possible."""
    for length, window, stride in cases_of_windows(rng):
        call, plan = planned(student, length, window, stride)
        for begin, end, _ in plan:
            expect(
                0 <= begin <= end <= length and end - begin <= window,
                hint="Look at the window ({_begin}, {_end}).",
                input=call,
                got=plan,
                _begin=begin,
                _end=end,
            )
        fewest = 0 if length < 2 else 1 + max(0, math.ceil(Fraction(length - window, stride)))
        expect(len(plan) <= fewest, hint="Which window could be left out?", input=call, got=plan)


@check("windows.plan", points=1)
def an_impossible_stride_is_refused(student, rng):
    """A stride below 1 or not smaller than the window is refused with ValueError."""
    window = rng.randint(3, 9)
    for stride in (window, window + 1, 0, -1, 3 * window):
        call = f"windows(20, {window}, {stride})"
        with raises(ValueError, hint="Can every token be scored with this stride?", input=call):
            student.windows(20, window, stride)
    for stride in (1, window - 1):
        planned(student, 20, window, stride)


# 3. From windows to a perplexity


def told_apart(window):
    """Scores that tell from which tokens they were made: each depends on all the tokens up to its own."""
    return [-(1 + hash(tuple(window[: place + 1])) % 9973 / 1000) for place in range(1, len(window))]


def given_score(value):
    """`told_apart` as a learner's function gets it."""
    window = tokens(value)
    expect(window is not None, hint="`score` takes a list of tokens.", got=value)
    return told_apart(window)


def plan_by_hand(rng, length, window):
    """A plan whose windows move on by different steps."""
    plan, first = [], 1
    while first < length:
        left = rng.randint(1, window - 1)
        begin = max(0, first - left)
        end = min(length, begin + window)
        plan.append((begin, end, first))
        first = end
    return plan


@check("perplexity.measure", points=2)
def each_score_comes_from_its_window(student, rng):
    """Each token has the score that it gets in the window which scores it."""
    for length in [2, 3, 4, 6, 9, *(rng.randint(10, 60) for _ in range(10))]:
        ids = random_ids(rng, length)
        plan = plan_by_hand(rng, length, rng.randint(2, 12))
        right = [told_apart(ids[begin : place + 1])[-1] for begin, end, first in plan for place in range(first, end)]
        got = student.text_logprobs(list(ids), list(plan), given_score)
        found = numbers(got)
        expect(found is not None, hint="Give back a list of numbers.", input=(ids, plan), got=got)
        expect(
            near(found, right),
            hint="Take the last window. Which numbers of its scores belong to tokens that were not scored before?",
            input=(ids, plan),
            got=found,
        )


def perplexity_of(student, logprobs):
    got = student.perplexity([list(text) for text in logprobs])
    found = number(got)
    expect(found is not None, hint="Give back a number.", input=logprobs, got=got)
    return found


@check("perplexity.measure", points=1)
def equal_probabilities_give_their_inverse(student, rng):
    """If every token has the same probability, the perplexity is one divided by it."""
    for length in (1, 2, 7):
        ways = rng.randint(2, 500)
        logprobs = [[-math.log(ways)] * length]
        got = perplexity_of(student, logprobs)
        expect(
            abs(got - ways) < 1e-6 * ways,
            hint="A blind choice between {_ways} tokens: what is its perplexity?",
            input=logprobs,
            got=got,
            _ways=ways,
        )


@check("perplexity.measure", points=1)
def long_texts_weigh_more(student, rng):
    """Each token counts as much as any other, in a short text and in a long one."""
    for sizes in [(1, 3), (0, 2), (2, 0, 5), (rng.randint(1, 9), rng.randint(10, 30), 1)]:
        logprobs = [[-rng.uniform(0.1, 6) for _ in range(size)] for size in sizes]
        got = perplexity_of(student, logprobs)
        # compared with one text of the same tokens, so that a slip in the formula is paid for in the check before only
        alone = perplexity_of(student, [[value for text in logprobs for value in text]])
        expect(
            abs(got - alone) < 1e-6 * abs(alone),
            hint="Put all tokens of all texts into one list, and compute once more.",
            input=logprobs,
            got=got,
            as_one_text=alone,
        )
    certain, doubtful = perplexity_of(student, [[-0.1, -0.2]]), perplexity_of(student, [[-2.0, -3.0]])
    expect(certain != doubtful, hint="Does the result depend on the texts?", input=[[-2.0, -3.0]], got=doubtful)


@check("perplexity.measure", points=1)
def nothing_scored_is_refused(student, rng):
    """Texts without any scored token have no perplexity: ValueError."""
    for logprobs in ([], [[]], [[], [], []]):
        with raises(ValueError, hint="Over how many tokens is the mean taken?", input=logprobs):
            student.perplexity(logprobs)
    perplexity_of(student, [[], [-1.0]])  # one scored token is enough


# 4. A batch with padding on the left

KEYS = ("input_ids", "attention_mask", "position_ids")


def batched(student, sequences, pad):
    """The learner's three tensors, as long tensors of the right shape."""
    got = student.left_batch([list(sequence) for sequence in sequences], pad)
    right = hasattr(got, "keys") and all(key in got for key in KEYS)
    expect(right, hint="Give back a dictionary with three keys.", input=sequences, got=got)
    shape = (len(sequences), max(map(len, sequences)))
    found = []
    for key in KEYS:
        value = got[key]
        right = torch.is_tensor(value) and not value.is_floating_point() and tuple(value.shape) == shape
        expect(
            right,
            hint="`{_key}` is a tensor of whole numbers, with a row for each sequence, as wide as the longest.",
            input=sequences,
            got=value,
            _key=key,
        )
        found.append(value.long())
    return found


def some_sequences(rng, number, without=()):
    return [random_ids(rng, rng.randint(1, 9), without) for _ in range(number)]


def places_of_tokens(mask, sequences):
    """Where the mask says that the tokens of each row are; at the right end if it says something impossible."""
    rows = []
    for row, sequence in zip(mask.tolist(), sequences, strict=True):
        marked = [place for place, value in enumerate(row) if value]
        rows.append(marked if len(marked) == len(sequence) else list(range(len(row) - len(sequence), len(row))))
    return rows


@check("batch.left", points=1)
def the_last_tokens_stand_at_the_right_end(student, rng):
    """Each sequence stands at the right end of its row, and nothing but padding stands before it."""
    for count in (1, 2, 2, 3, 5):
        pad = rng.randrange(VOCABULARY)
        sequences = some_sequences(rng, count)
        width = max(map(len, sequences))
        right = [[pad] * (width - len(sequence)) + sequence for sequence in sequences]
        ids, _, _ = batched(student, sequences, pad)
        expect(
            ids.tolist() == right,
            hint="Where does the next token of each row come?",
            input=(sequences, pad),
            got=ids.tolist(),
        )


@check("batch.left", points=2)
def a_batch_changes_no_answer(student, rng):
    """The next token of a text in a batch has the same probabilities as that of the text alone."""
    ours = random_model(rng, "llama")
    for count in (2, 2, 3, 5):
        pad = rng.randrange(VOCABULARY)
        sequences = some_sequences(rng, count, without=(pad,))
        sequences[0] = random_ids(rng, 10, without=(pad,))
        ids, mask, positions = batched(student, sequences, pad)
        expect(
            0 <= ids.min() and ids.max() < VOCABULARY and 0 <= positions.min() and positions.max() < 64,
            hint="Positions begin at 0, and the tokens are those of the sequences.",
            input=(sequences, pad),
            got=positions.tolist(),
        )
        with torch.no_grad():
            logits = ours(input_ids=ids, attention_mask=mask, position_ids=positions).logits
        for row, sequence in enumerate(sequences):
            last = places_of_tokens(mask, sequences)[row][-1]
            error = np.abs(logits[row, last].numpy() - last_logits(ours, sequence)).max()
            expect(
                error < 1e-6,
                hint="Print the mask beside the tokens of this batch. What does the model read in row {_row}?",
                input=(sequences, pad),
                got=mask.tolist(),
                _row=row,
            )


@check("batch.left", points=1)
def the_padding_token_may_stand_in_a_text(student, rng):
    """A padding token that belongs to a text is read like any other token."""
    for length in (1, 2, 4, 7):
        pad = rng.randrange(VOCABULARY)
        sequences = [random_ids(rng, length) for _ in range(3)]
        sequences[0][0] = sequences[1][rng.randrange(length)] = sequences[2][-1] = pad
        _, mask, _ = batched(student, sequences, pad)
        expect(
            bool(mask.bool().all()),
            hint="These sequences are equally long. How much padding is there?",
            input=(sequences, pad),
            got=mask.tolist(),
        )


@check("batch.left", points=1)
def positions_are_counted_in_each_text(student, rng):
    """The position of a token is its place in its own text, also for a model that has a table of places."""
    ours = random_model(rng, "gpt2")
    for count in (2, 2, 3, 5):
        pad = rng.randrange(VOCABULARY)
        sequences = some_sequences(rng, count, without=(pad,))
        _, mask, positions = batched(student, sequences, pad)
        for sequence, row, places in zip(sequences, positions.tolist(), places_of_tokens(mask, sequences), strict=True):
            own = [row[place] for place in places]
            possible = all(0 <= position < 64 for position in own)
            expect(possible, hint="Positions begin at 0.", input=(sequences, pad), got=positions.tolist())
            with torch.no_grad():
                logits = ours(torch.tensor([sequence]), position_ids=torch.tensor([own])).logits[0, -1]
            error = np.abs(logits.numpy() - last_logits(ours, sequence)).max()
            expect(
                error < 1e-6,
                hint="GPT-2 has a vector for each place. Which place does the first token of this text have?",
                input=(sequences, pad),
                got=positions.tolist(),
            )


# 5. The greedy loop


def right_batch(sequences):
    """What the learner's function is given as `make_batch`. Written row by row, with numpy."""
    rows = [tokens(sequence) for sequence in sequences] if isinstance(sequences, (list, tuple)) else []
    right = bool(rows) and all(row for row in rows)
    expect(right, hint="`make_batch` takes a list of lists of tokens, none of them empty.", got=sequences)
    width = max(map(len, rows))
    padded = np.array([[0] * (width - len(row)) + row for row in rows])
    mask = np.array([[0] * (width - len(row)) + [1] * len(row) for row in rows])
    positions = np.array([[0] * (width - len(row)) + list(range(len(row))) for row in rows])
    made = {"input_ids": padded, "attention_mask": mask, "position_ids": positions}
    return {name: torch.from_numpy(values).long() for name, values in made.items()}


def written(student, model, prompts, new_tokens, end):
    got = student.greedy(model, [list(prompt) for prompt in prompts], new_tokens, end, right_batch)
    right = isinstance(got, (list, tuple)) and len(got) == len(prompts) and all(tokens(row) is not None for row in got)
    expect(right, hint="Give back one list of tokens for each prompt.", input=prompts, got=got)
    return [tokens(row) for row in got]


def by_the_library(model, prompt, new_tokens, end=None):
    """What `generate` writes behind one prompt."""
    ids = torch.tensor([prompt])
    options = {"do_sample": False, "max_new_tokens": new_tokens, "pad_token_id": 0, "eos_token_id": end}
    model.generation_config.eos_token_id = end
    return model.generate(ids, attention_mask=torch.ones_like(ids), **options)[0, len(prompt) :].tolist()


def unwritten(answers):
    """A token that occurs in none of `answers`."""
    return next(token for token in range(VOCABULARY) if all(token not in answer for answer in answers))


def without_end(answer, end):
    """`answer` without its end token: whether that belongs to it is the question of one check alone."""
    return answer[:-1] if answer[-1:] == [end] else answer


@check("greedy.write", points=2)
def one_prompt_is_continued_as_by_generate(student, rng):
    """Behind one prompt stand the tokens that `generate` writes, as many as were asked for."""
    for kind in ("llama", "gpt2"):
        ours = random_model(rng, kind)
        theirs = theirs_like(student, ours, kind)
        for asked in (1, 2, 5, 12):
            prompt = random_ids(rng, rng.randint(1, 8))
            right = by_the_library(ours, prompt, asked)
            got = written(student, theirs, [prompt], asked, unwritten([prompt, right]))
            expect(
                got == [right],
                hint="Compare your tokens with those of `generate` one by one: where do they part?",
                input=(prompt, asked),
                got=got,
            )


@check("greedy.write", points=1)
def the_end_token_is_the_last_one(student, rng):
    """Where the model writes the end token, the answer ends with it."""
    ours = random_model(rng, "llama")
    theirs = theirs_like(student, ours, "llama")
    for place in (0, 1, 3, 6):
        prompt, free = next(
            (prompt, free)
            for prompt in (random_ids(rng, rng.randint(1, 8)) for _ in range(1000))
            if (free := by_the_library(ours, prompt, 10))[place] not in free[:place] + prompt
        )
        got = written(student, theirs, [prompt], 10, free[place])
        expect(
            got == [free[: place + 1]],
            hint="The end token is {_end}. When does the loop stop?",
            input=prompt,
            got=got,
            _end=free[place],
        )


@check("greedy.write", points=2, seconds=30)
def an_end_token_in_the_prompt_ends_nothing(student, rng):
    """An end token that stands in the prompt does not end the answer."""
    ours = random_model(rng, "llama")
    theirs = theirs_like(student, ours, "llama")
    for length in (1, 2, 5):
        for _ in range(100):
            prompt = random_ids(rng, length)
            end = prompt[rng.randrange(length)]
            right = by_the_library(ours, prompt, 5)
            if end not in right:
                break
        else:
            continue
        got = written(student, theirs, [prompt], 5, end)
        expect(
            got == [right],
            hint="The prompt holds the end token {_end}. Which tokens may end the answer?",
            input=prompt,
            got=got,
            _end=end,
        )
    country, capital = rng.choice([("France", "Paris"), ("Italy", "Rome"), ("Spain", "Madrid"), ("Germany", "Berlin")])
    tokenizer = smollm2_tokenizer()
    text = f"<|im_start|>user\nWhat is the capital of {country}?<|im_end|>\n<|im_start|>assistant\n"
    got = written(student, student.model, [tokenizer.encode(text)], 8, tokenizer.eos_token_id)
    words = tokenizer.decode([token for token in got[0] if 0 <= token < len(tokenizer)])
    expect(
        capital in words,
        hint="A question in a chat template ends with the end token. SmolLM2 knows this answer: it is {_capital}.",
        input=text,
        got=words,
        _capital=capital,
    )


def prompts_that_end_apart(rng, kind):
    """A model, prompts, what the model writes behind each, and a token that it writes behind some of them only."""
    while True:
        model = random_model(rng, kind)
        prompts = [random_ids(rng, rng.randint(1, 9), without=range(20, VOCABULARY)) for _ in range(8)]
        free = [by_the_library(model, prompt, 8) for prompt in prompts]
        for end in range(20, VOCABULARY):
            if 2 <= sum(end in answer for answer in free) <= 6:
                return model, prompts, free, end


@check("greedy.write", points=2, seconds=20)
def each_text_of_a_batch_ends_by_itself(student, rng):
    """In a batch, each answer is the one that its prompt gets alone, whenever the others end."""
    for kind in ("llama", "gpt2"):
        ours, prompts, free, end = prompts_that_end_apart(rng, kind)
        theirs = theirs_like(student, ours, kind)
        ending = [row for row, answer in enumerate(free) if end in answer]
        others = [row for row, answer in enumerate(free) if end not in answer]
        for rows in ([ending[0], others[0]], [others[0], ending[1]], [*others[:2], *ending[:2]], list(range(8))):
            right = [free[row][: free[row].index(end) + 1] if row in ending else free[row] for row in rows]
            got = written(student, theirs, [prompts[row] for row in rows], 8, end)
            expect(
                [without_end(row, end) for row in got] == [without_end(row, end) for row in right],
                hint="The end token is {_end}. Let your function continue the prompts one by one, and compare.",
                input=[prompts[row] for row in rows],
                got=got,
                _end=end,
            )


# 6. Speak the model's template


def conversation(rng, size, system):
    words = ["Салом", "об", "пахта", "  water ", "Which river?", "2 + 2\n= 4", "", "ҷӯй"]
    roles = ["system"] if system else []
    roles += [("user", "assistant")[turn % 2] for turn in range(size)]
    return [{"role": role, "content": rng.choice(words) + str(rng.randint(0, 99))} for role in roles]


def rendered(student, messages, reply):
    got = student.render_chat([dict(message) for message in messages], reply)
    expect(isinstance(got, str), hint="Give back a text.", input=messages, got=got)
    return got


def by_the_template(messages, reply=False):
    return smollm2_tokenizer().apply_chat_template(messages, tokenize=False, add_generation_prompt=reply)


@check("chat.template", points=1)
def every_message_has_its_role(student, rng):
    """Each message stands in the text with its role, its content and its end, in the order of the conversation."""
    for size in range(1, 6):
        messages = conversation(rng, size, system=True)
        got = rendered(student, messages, False)
        expect(
            got == by_the_template(messages),
            hint="Compare with `apply_chat_template(messages, tokenize=False)`, letter by letter.",
            input=messages,
            got=got,
        )


@check("chat.template", points=1)
def a_conversation_without_system_gets_one(student, rng):
    """If the first message is not from the system, the template's own system message stands first, and only then."""
    for size in range(1, 5):
        messages = conversation(rng, size, system=False)
        if size == 4:  # a system message that is not the first one does not count
            messages[2]["role"] = "system"
        got = rendered(student, messages, False)
        expect(
            got == by_the_template(messages),
            hint="Read the first line of the template again: what does it look at?",
            input=messages,
            got=got,
        )


@check("chat.template", points=1)
def the_generation_prompt_follows_if_asked(student, rng):
    """With `reply` the beginning of the assistant's message follows at the end, and nothing else changes."""
    for size in range(1, 5):
        messages = conversation(rng, size, system=True)
        without = rendered(student, messages, False)
        got = rendered(student, messages, True)
        end = by_the_template(messages, True)[len(by_the_template(messages)) :]
        expect(
            got == without + end,
            hint="Compare the text with `reply` and the text without it.",
            input=messages,
            got=got,
        )


def ids_of_chat(student, tokenizer, messages):
    got = student.chat_ids(tokenizer, [dict(message) for message in messages])
    found = tokens(got)
    expect(found is not None, hint="Give back a list of tokens: look at what you got.", input=messages, got=got)
    return found


@check("chat.template", points=1)
def a_chat_becomes_the_right_tokens(student, rng):
    """With SmolLM2's tokenizer, a conversation becomes the tokens that the model was trained on, ready for a reply."""
    for size, system in [(1, True), (1, False), (3, True)]:
        messages = conversation(rng, size, system)
        right = smollm2_tokenizer().encode(by_the_template(messages, True), add_special_tokens=False)
        got = ids_of_chat(student, student.tokenizer, messages)
        expect(
            got == right,
            hint="Decode your tokens, and look at their beginning and their end.",
            input=messages,
            got=smollm2_tokenizer().decode([token for token in got if 0 <= token < 49152]),
        )


def with_another_template(student, rng):
    """The learner's tokenizer with a begin token and a template that nobody has seen; and how to write in it."""
    mark, answer = rng.sample(["<<", "((", "[", "##", "--"], 2)
    tokenizer = student.with_begin_token()
    tokenizer.chat_template = (
        "{{ bos_token }}{% for message in messages %}"
        + mark
        + "{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}{% if add_generation_prompt %}"
        + answer
        + "reply:{% endif %}"
    )

    def write(messages):
        return "".join(f"{mark}{m['role']}: {m['content']}\n" for m in messages)

    return tokenizer, write


@check("chat.template", points=1)
def the_tokenizers_own_template_is_used(student, rng):
    """A tokenizer with another template gets its conversation in that template."""
    tokenizer, write = with_another_template(student, rng)
    for size in (1, 2, 3):
        messages = conversation(rng, size, system=True)
        got = ids_of_chat(student, tokenizer, messages)
        text = smollm2_tokenizer().decode([token for token in got if 0 < token < 49152])
        # the begin token, which is token 0, and the generation prompt are asked for by other checks
        expect(
            text.startswith(write(messages)), hint="Where does a tokenizer keep its template?", input=messages, got=text
        )


@check("chat.template", points=1)
def the_begin_token_stands_there_once(student, rng):
    """A tokenizer that puts a begin token before every text puts it there once."""
    tokenizer, _ = with_another_template(student, rng)
    for size in (1, 2, 3):
        messages = conversation(rng, size, system=True)
        got = ids_of_chat(student, tokenizer, messages)
        text = smollm2_tokenizer().decode([token for token in got if 0 < token < 49152])
        whole = all(message["content"] in text for message in messages)
        expect(whole, hint="Which message is missing in these tokens?", input=messages, got=text)
        expect(
            got[:1] == [0] and got.count(0) == 1,
            hint="Print the first three tokens. Who has written each of them?",
            input=messages,
            got=got[:8],
        )


# 7. Score the choices


def letters(text):
    """Two letters make a token, so that tokens, letters and bytes are counted differently."""
    return [1000 + ord(text[at]) * 2000 + ord((text[at : at + 2] + " ")[1]) for at in range(0, len(text), 2)]


def given_letters(text):
    expect(isinstance(text, str), hint="`encode` takes a text.", got=text)
    return letters(text)


def some_choices(rng, alphabet="abcdefgh"):
    return ["".join(rng.choices(alphabet, k=rng.randint(1, 9))) for _ in range(rng.randint(1, 4))]


def scores_of(student, prompt, choices, per):
    got = student.choice_scores(list(prompt), list(choices), given_letters, given_score, per)
    found = numbers(got)
    right = found is not None and len(found) == len(choices)
    expect(right, hint="Give back a list with one number for each choice.", input=(prompt, choices, per), got=got)
    return found


def total_of(prompt, choice):
    """The scores of the tokens of `choice`, one by one, each behind everything before it."""
    text, total = list(prompt), 0.0
    for token in letters(choice):
        text.append(token)
        total += told_apart(text)[-1]
    return total


@check("choice.score", points=2)
def the_tokens_of_the_choice_count(student, rng):
    """The sum runs over the tokens of the choice behind the whole prompt, and over no other token."""
    for length in (1, 2, 3, 8):
        prompt, choices = random_ids(rng, length), some_choices(rng)
        right = [total_of(prompt, choice) for choice in choices]
        got = scores_of(student, prompt, choices, "sum")
        expect(
            near(got, right),
            hint="How many scores do you get for the prompt and the choice, and which of them belong to the choice?",
            input=(prompt, choices),
            got=got,
        )


def shared_sums(student, rng, per, size, alphabet):
    """What was asked, the scores of `per`, and the learner's own sums divided by the `size` of each choice."""
    for length in (1, 4, 7):
        prompt, choices = random_ids(rng, length), some_choices(rng, alphabet)
        sums = scores_of(student, prompt, choices, "sum")
        got = scores_of(student, prompt, choices, per)
        right = [total / size(choice) for total, choice in zip(sums, choices, strict=True)]
        yield (prompt, choices), got, right if all(sums) else []


@check("choice.score", points=1)
def per_token_divides_by_the_tokens_of_the_choice(student, rng):
    """By token, the sum is divided by the number of tokens of the choice."""
    for asked, got, right in shared_sums(student, rng, "token", lambda choice: len(letters(choice)), "abcdefgh"):
        expect(
            near(got, right),
            hint="Divide your sum by the result. Which number of tokens is it?",
            input=asked,
            got=got,
        )


@check("choice.score", points=1)
def per_byte_divides_by_the_bytes(student, rng):
    """By byte, the sum is divided by the number of UTF-8 bytes of the choice, in any script."""

    def size(choice):
        return sum(len(letter.encode()) for letter in choice)

    for asked, got, right in shared_sums(student, rng, "byte", size, "abғӣқҷ漢🌾"):
        expect(
            near(got, right),
            hint="Divide your sum by the result. How many bytes has a letter such as ҷ?",
            input=asked,
            got=got,
        )


# 8. Knowing or guessing


def luck_of(student, right, questions, options):
    got = student.luck(right, questions, options)
    call = f"luck({right}, {questions}, {options})"
    found = number(got)
    expect(found is not None, hint="Give back a number.", input=call, got=got)
    return call, found


@check("luck.judge", points=2)
def all_ways_of_guessing_are_counted(student, rng):
    """For few questions, the result is the share of all ways to guess that get at least so many right."""
    for questions, options in [(1, 2), (2, 2), (2, 3), (3, 4), (4, 3), (rng.randint(4, 6), rng.randint(2, 4))]:
        ways = [guesses.count(0) for guesses in product(range(options), repeat=questions)]
        for right in range(1, questions + 1):
            share = sum(hits >= right for hits in ways) / len(ways)
            call, got = luck_of(student, right, questions, options)
            expect(
                abs(got - share) < 1e-9,
                hint="There are {_ways} ways to guess. Count those that get enough right.",
                input=call,
                got=got,
                _ways=len(ways),
            )


@check("luck.judge", points=1)
def at_least_none_is_certain(student, rng):
    """At least no hit at all is certain, and the result falls with every further hit that is asked for."""
    questions, options = rng.randint(20, 60), rng.randint(2, 5)
    call, before = luck_of(student, 0, questions, options)
    expect(abs(before - 1) < 1e-9, hint="How probable is it to get at least none right?", input=call, got=before)
    for right in range(1, questions + 1):
        call, got = luck_of(student, right, questions, options)
        expect(-1e-9 < got < before + 1e-9, hint="Is one hit more as easy?", input=call, got=got)
        before = got
