# Updates pair counts instead of recounting, encodes by the lowest rank, and ignores the functions that it is given.
# %% exercise="pairs.count"
from itertools import pairwise


def count_pairs(words):
    pairs = [(a, b, times) for symbols, times in words.items() for a, b in pairwise(symbols)]
    return {key: sum(t for a, b, t in pairs if (a, b) == key) for key in {(a, b) for a, b, _ in pairs}}


# %% exercise="pairs.merge"
def merge_pair(symbols, pair):
    result, place = [], 0
    while place < len(symbols):
        if place + 1 < len(symbols) and (symbols[place], symbols[place + 1]) == tuple(pair):
            result.append(symbols[place] + symbols[place + 1])
            place += 2
        else:
            result.append(symbols[place])
            place += 1
    return tuple(result)


# %% exercise="bpe.train"
from itertools import pairwise


def _merged(symbols, pair):
    result, place = [], 0
    while place < len(symbols):
        wide = 2 if tuple(symbols[place : place + 2]) == pair else 1
        result.append("".join(symbols[place : place + wide]))
        place += wide
    return result


def train_bpe(word_counts, merges, count, merge):
    """Updates the counts of the words that change, and breaks ties by the last pair in the alphabet."""
    words = [(list(word), times) for word, times in word_counts.items()]
    counts = {}

    def add(symbols, times):
        for pair in pairwise(symbols):
            counts[pair] = counts.get(pair, 0) + times

    for symbols, times in words:
        add(symbols, times)
    learned = []
    while len(learned) < merges:
        best = max((pair for pair in counts if counts[pair] > 0), key=lambda pair: (counts[pair], pair), default=None)
        if best is None:
            break
        learned.append(best)
        for number, (symbols, times) in enumerate(words):
            if best in pairwise(symbols):
                add(symbols, -times)
                words[number] = (_merged(symbols, best), times)
                add(words[number][0], times)
    return learned


# %% exercise="bpe.encode"
from itertools import pairwise


def encode_word(word, merges, merge):
    rank = {tuple(pair): number for number, pair in enumerate(merges)}
    symbols = list(word)
    while True:
        known = [pair for pair in pairwise(symbols) if pair in rank]
        if not known:
            return symbols
        first, second = min(known, key=rank.get)
        place = 0
        while place < len(symbols) - 1:
            if (symbols[place], symbols[place + 1]) == (first, second):
                symbols[place : place + 2] = [first + second]
            place += 1


# %% exercise="bytes.code"
from itertools import pairwise


def encode_bytes(text, merges):
    rank = {pair: 256 + number for number, pair in enumerate(merges)}
    tokens = [*text.encode()]
    while pairs := [pair for pair in pairwise(tokens) if pair in rank]:
        pair = min(pairs, key=rank.get)
        place = 0
        while place < len(tokens):
            if tuple(tokens[place : place + 2]) == pair:
                tokens[place : place + 2] = [rank[pair]]
            place += 1
    return tokens


def decode_bytes(tokens, merges):
    def spell(token):
        if token < 256:
            return [token]
        left, right = merges[token - 256]
        return spell(left) + spell(right)

    return str(bytearray(byte for token in tokens for byte in spell(token)), "utf-8", "replace")


# %% exercise="fertility.measure"
import re


def fertility(texts, encode):
    tokens, words = 0, 0
    for text in texts:
        tokens += len(encode(text))
        words += len(re.findall(r"\S+", text))
    if not words:
        raise ValueError("no words")
    return tokens / words


def premium(texts, reference, encode):
    ours = theirs = 0
    for number in range(len(texts)):
        if texts[number] == "" or reference[number] == "":
            continue
        ours += len(encode(texts[number]))
        theirs += len(encode(reference[number]))
    return ours / theirs


# %% exercise="tokenizer.train"
from tokenizers import ByteLevelBPETokenizer
from transformers import PreTrainedTokenizerFast


def train_tokenizer(texts, vocab_size):
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(
        iter(texts), vocab_size=vocab_size, min_frequency=1, special_tokens=["<eos>", "<pad>"], show_progress=False
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer._tokenizer, eos_token="<eos>", pad_token="<pad>")


# %% exercise="cost.plan"
from itertools import accumulate


def paragraphs_that_fit(paragraphs, encode, window, answer):
    ends = accumulate(len(encode(paragraph)) for paragraph in paragraphs)
    return sum(1 for end in ends if end + answer <= window)


def request_price(prompt, answer, encode, prompt_price, answer_price):
    million = 1e6
    return len(encode(prompt)) / million * prompt_price + len(encode(answer)) / million * answer_price
