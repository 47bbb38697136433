# Works on strings and by recursion, trains with a pre-tokenizer of its own, and adds the special tokens last.
# %% exercise="pairs.count"
from collections import defaultdict


def count_pairs(words):
    counts = defaultdict(int)
    for symbols in words:
        for place in range(len(symbols) - 1):
            counts[symbols[place], symbols[place + 1]] += words[symbols]
    return counts


# %% exercise="pairs.merge"
def merge_pair(symbols, pair):
    if len(symbols) < 2:
        return tuple(symbols)
    if symbols[0] == pair[0] and symbols[1] == pair[1]:
        return (pair[0] + pair[1], *merge_pair(symbols[2:], pair))
    return (symbols[0], *merge_pair(symbols[1:], pair))


# %% exercise="bpe.train"
def train_bpe(word_counts, merges, count, merge):
    def learn(words, left):
        counts = count(words)
        if left == 0 or not counts:
            return []
        most = max(counts.values())
        best = next(pair for pair in counts if counts[pair] == most)
        return [best, *learn({merge(symbols, best): times for symbols, times in words.items()}, left - 1)]

    return learn({tuple(word): times for word, times in word_counts.items()}, merges)


# %% exercise="bpe.encode"
from functools import reduce


def encode_word(word, merges, merge):
    return list(reduce(merge, merges, tuple(word)))


# %% exercise="bytes.code"
def encode_bytes(text, merges):
    line = "," + "".join(f"{byte},," for byte in text.encode("utf-8"))
    for number, (left, right) in enumerate(merges):
        line = line.replace(f",{left},,{right},", f",{256 + number},")
    return [int(number) for number in line.split(",") if number]


def decode_bytes(tokens, merges):
    tokens = list(tokens)
    for number in range(len(merges) - 1, -1, -1):
        while 256 + number in tokens:
            place = tokens.index(256 + number)
            tokens[place : place + 1] = merges[number]
    return bytes(tokens).decode(errors="replace")


# %% exercise="fertility.measure"
import numpy as np


def fertility(texts, encode):
    table = np.array([[len(encode(text)), len(text.split())] for text in texts]).reshape(-1, 2)
    tokens, words = table.sum(axis=0)
    if words < 1:
        raise ValueError("no words")
    return tokens / words


def premium(texts, reference, encode):
    keep = [i for i in range(len(texts)) if len(texts[i]) and len(reference[i])]
    sums = [np.sum([len(encode(side[i])) for i in keep]) for side in (texts, reference)]
    return sums[0] / sums[1]


# %% exercise="tokenizer.train"
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast


def train_tokenizer(texts, vocab_size):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(r" ?[^\s]+|\s+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - 2,
        min_frequency=2,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((text for text in texts), trainer, length=len(texts))
    tokenizer.add_special_tokens(["<pad>", "<eos>"])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")


# %% exercise="cost.plan"
def paragraphs_that_fit(paragraphs, encode, window, answer):
    if not paragraphs:
        return 0
    needed = len(encode(paragraphs[0]))
    if needed > window - answer:
        return 0
    return 1 + paragraphs_that_fit(paragraphs[1:], encode, window - needed, answer)


def request_price(prompt, answer, encode, prompt_price, answer_price):
    texts, prices = (prompt, answer), (prompt_price, answer_price)
    return sum(len(encode(text)) * price for text, price in zip(texts, prices, strict=True)) / 1000 / 1000
