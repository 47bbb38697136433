"""Hidden checks of unit 04."""

import math
import re
from collections import Counter
from functools import lru_cache
from itertools import accumulate, pairwise, permutations, product
from numbers import Real

from autograder.student import check, expect, raises

LETTERS = "абвгғдеёжзиӣйкқлмнопрстуӯфхҳчҷшъэюя"

# The same in Tajik, Russian and English. Written for this course, so that no tokenizer was trained on it.
SENTENCES = [
    ("Себҳои Ҳисор ширинанд.", "Яблоки Гиссара сладкие.", "The apples of Hisor are sweet."),
    ("Пахтаро дар моҳи апрел мекоранд.", "Хлопок сеют в апреле.", "Cotton is sown in April."),
    ("Мо ба забони тоҷикӣ менависем.", "Мы пишем на таджикском языке.", "We write in Tajik."),
    ("Модарам ҳар субҳ нон мепазад.", "Моя мама каждое утро печёт хлеб.", "My mother bakes bread every morning."),
    ("Имсол дар водии Вахш об кам аст.", "В этом году в Вахшской долине мало воды.", "Vakhsh has little water."),
    ("Донишҷӯён дар китобхона кор мекунанд.", "Студенты работают в библиотеке.", "The students work in the library."),
    ("Дар баҳор барфи кӯҳҳо об мешавад.", "Весной снег в горах тает.", "In spring the snow of the mountains melts."),
    ("Омӯзгор ба саволи мо ҷавоб дод.", "Учитель ответил на наш вопрос.", "The teacher answered our question."),
    ("Нархи гандум дар бозор боло рафт.", "Цена пшеницы на рынке выросла.", "Wheat became more expensive."),
    ("Ин деҳа аз Душанбе сад километр дур аст.", "Это село в ста километрах от Душанбе.", "It is far to Dushanbe."),
]


# Symbols and pairs. The oracle writes each symbol in brackets and lets string search and replacement do the work.


def bracketed(symbols):
    return "".join(f"<{symbol}>" for symbol in symbols)


def joined(symbols, pair):
    """`symbols` with `pair` joined from left to right."""
    text = bracketed(symbols).replace(bracketed(pair), bracketed(["".join(pair)]))
    return tuple(re.findall("<([^>]*)>", text))


def counted(words):
    """How often each pair of neighbours stands in `words`; overlapping places count."""
    counts = Counter()
    for symbols, times in words.items():
        text = bracketed(symbols)
        for pair in product(set(symbols), repeat=2):
            counts[pair] += times * len(re.findall(f"(?={bracketed(pair)})", text))
    return {pair: number for pair, number in counts.items() if number}


def given_count(words):
    """`counted` as a learner's function gets it: a wrong argument is their mistake, not the grader's."""
    right = isinstance(words, dict) and all(isinstance(symbols, tuple) for symbols in words)
    expect(
        right,
        hint="`count` takes a dictionary: a word cut into a tuple of symbols, and how often it occurs.",
        got=words,
    )
    return counted(words)


def given_merge(symbols, pair):
    """`joined` as a learner's function gets it."""
    right = isinstance(symbols, (tuple, list)) and all(isinstance(symbol, str) for symbol in symbols)
    expect(right, hint="The first argument of `merge` is one word, cut into a tuple of symbols.", got=symbols)
    right = isinstance(pair, (tuple, list)) and len(pair) == 2 and all(isinstance(symbol, str) for symbol in pair)
    expect(right, hint="The second argument of `merge` is one pair of symbols.", got=pair)
    return joined(symbols, pair)


def learned(word_counts, merges):
    """The merges of a corpus; among equally frequent pairs the one that comes first in the alphabet."""
    words = {tuple(word): times for word, times in word_counts.items()}
    pairs = []
    while len(pairs) < merges and (counts := counted(words)):
        pairs.append(min(counts, key=lambda pair: (-counts[pair], pair)))
        words = {joined(symbols, pairs[-1]): times for symbols, times in words.items()}
    return pairs


def random_words(rng, letters, number, shortest, longest):
    """Different words over `letters`."""
    return {"".join(rng.choices(letters, k=rng.randint(shortest, longest))): 1 for _ in range(number)}


def as_pairs(value):
    """A learner's list of pairs as tuples, or None if it is anything else."""
    if not isinstance(value, (list, tuple)):
        return None
    right = all(isinstance(p, (list, tuple)) and len(p) == 2 and all(isinstance(s, str) for s in p) for p in value)
    return [tuple(pair) for pair in value] if right else None


# 1. Count pairs


def pairs_counted(student, words):
    """The learner's counts, without pairs that were counted zero times."""
    got = student.count_pairs(dict(words))
    expect(isinstance(got, dict), hint="Give back a dictionary from pairs to numbers.", input=words, got=got)
    return {pair: number for pair, number in got.items() if number != 0}


@check("pairs.count", points=1)
def every_place_of_a_pair_counts(student, rng):
    """Every place of a word where two symbols stand side by side is counted once."""
    for length in range(1, 12):
        words = {tuple(rng.choices(["а", "б", "ҳо"], k=length)): 1}
        got = pairs_counted(student, words)
        expect(
            got == counted(words),
            hint="Put a finger on each gap between two symbols of this word.",
            input=words,
            got=got,
        )


@check("pairs.count", points=1)
def a_frequent_word_counts_more(student, rng):
    """A pair counts as often as the words that hold it occur in the corpus."""
    for length in range(2, 8):
        words = {tuple(rng.sample(LETTERS, length)): rng.randint(2, 9)}
        got = pairs_counted(student, words)
        expect(got == counted(words), hint="What do the values of the dictionary say?", input=words, got=got)


@check("pairs.count", points=1)
def pairs_stay_inside_words(student, rng):
    """The last symbol of a word and the first one of the next word are no pair."""
    for size in range(2, 8):
        letters = rng.sample(LETTERS, 3 * size)
        words = {tuple(letters[3 * i : 3 * i + 3]): 1 for i in range(size)}
        got = pairs_counted(student, words)
        expect(got == counted(words), hint="Count the pairs of each word separately.", input=words, got=got)


# 2. Join one pair


def symbols_joined(student, symbols, pair):
    got = student.merge_pair(tuple(symbols), tuple(pair))
    right = isinstance(got, (tuple, list)) and all(isinstance(symbol, str) for symbol in got)
    expect(right, hint="Give back a tuple of symbols.", input=(symbols, pair), got=got)
    return tuple(got)


@check("pairs.merge", points=1)
def every_place_of_the_pair_is_joined(student, rng):
    """Every place where the pair stands is joined, and everything else stays."""
    for length in [1, *range(2, 14)] * 3:
        symbols = rng.choices("абв", k=length)
        got = symbols_joined(student, symbols, ("а", "б"))
        expect(
            got == joined(symbols, ("а", "б")), hint="Mark each place of `а`, `б` in the input.", input=symbols, got=got
        )


@check("pairs.merge", points=1)
def a_symbol_is_used_once(student, rng):
    """In a row of equal symbols each symbol is joined with one neighbour at most, from the left."""
    letter, other = rng.sample(LETTERS, 2)
    for length in range(2, 9):
        symbols = [letter] * length + [other]
        got = symbols_joined(student, symbols, (letter, letter))
        expect(
            got == joined(symbols, (letter, letter)),
            hint="After a join, where does the search go on?",
            input=symbols,
            got=got,
        )


@check("pairs.merge", points=1)
def only_whole_symbols_are_joined(student, rng):
    """Two symbols are joined only if they are the pair, not if they merely spell the same."""
    for _ in range(5):
        a, b, c, d = rng.sample(LETTERS, 4)
        for symbols, pair in [((a + b, c), (a, b + c)), ((d, a + b, c), (b, c)), ((a, b + c, d, a + b, c), (a + b, c))]:
            got = symbols_joined(student, symbols, pair)
            expect(got == joined(symbols, pair), hint="Compare symbol with symbol.", input=(symbols, pair), got=got)


# 3. Learn the merges


def trained(student, word_counts, merges):
    got = student.train_bpe(dict(word_counts), merges, given_count, given_merge)
    pairs = as_pairs(got)
    expect(pairs is not None, hint="Give back a list of pairs of symbols.", input=word_counts, got=got)
    return pairs


@check("bpe.train", points=2)
def every_merge_is_the_most_frequent_pair(student, rng):
    """Each merge joins a pair that is the most frequent one at that moment."""
    for size in [2, 3, 4, *range(5, 20)]:
        corpus = random_words(rng, "абвг", size, 2, 7)
        asked = rng.randint(1, 6)
        pairs = trained(student, corpus, asked)
        words = {tuple(word): times for word, times in corpus.items()}
        expect(
            len(pairs) <= asked, hint="Count the merges: {asked} were asked for.", input=corpus, got=pairs, _asked=asked
        )
        for number, pair in enumerate(pairs, 1):
            counts = counted(words)
            best = counts.get(pair, 0) == max(counts.values(), default=0) > 0
            expect(
                best,
                hint="Before merge number {number}, write down how the words are cut, and count again.",
                input=corpus,
                got=pairs,
                _number=number,
            )
            words = {joined(symbols, pair): times for symbols, times in words.items()}
        left = len(pairs) < asked and bool(counted(words))
        expect(
            not left,
            hint="There are still pairs to join: {asked} were asked for.",
            input=corpus,
            got=pairs,
            _asked=asked,
        )


@check("bpe.train", points=1)
def frequent_words_decide(student, rng):
    """A pair of one frequent word is joined before a pair that stands in several rare words."""
    for rare in range(2, 7):
        letters = rng.sample(LETTERS, rare + 4)
        pair, often, ends = letters[:2], letters[2:4], letters[4:]
        corpus = {"".join(pair) + end: 1 for end in ends} | {"".join(often): rare + 3}
        pairs = trained(student, corpus, 1)
        expect(
            pairs == [tuple(often)], hint="How many places in the corpus does each pair have?", input=corpus, got=pairs
        )


@check("bpe.train", points=1)
def learning_ends_when_no_pair_is_left(student, rng):
    """If more merges are asked for than there are pairs, all of them are learned and the list ends."""
    for size in range(4):
        letters = rng.sample(LETTERS, 2 * size + 1)
        words = ["".join(letters[2 * i : 2 * i + 2]) for i in range(size)]
        corpus = {word: 1 for word in [*words, letters[-1]]}
        pairs = trained(student, corpus, size + rng.randint(1, 5))
        right = sorted(pairs) == sorted(tuple(word) for word in words)
        expect(right, hint="What is left to count when every word is one symbol?", input=corpus, got=pairs)


# 4. Cut a new word


def in_order(word, merges):
    """`word` cut by each merge in turn."""
    symbols = tuple(word)
    for pair in merges:
        symbols = joined(symbols, pair)
    return list(symbols)


def by_rank(word, merges):
    """`word` cut by the earliest merge that fits, again and again. For learned merges the same as `in_order`."""
    symbols = tuple(word)
    while pair := next((pair for pair in merges if bracketed(pair) in bracketed(symbols)), None):
        symbols = joined(symbols, pair)
    return list(symbols)


def encoded(student, word, merges):
    got = student.encode_word(word, list(merges), given_merge)
    right = isinstance(got, (list, tuple)) and all(isinstance(token, str) for token in got)
    expect(right, hint="Give back a list of tokens.", input=(word, merges), got=got)
    return list(got)


@check("bpe.encode", points=1)
def the_tokens_spell_the_word(student, rng):
    """The tokens, put together, are the word, with letters that no merge has seen."""
    merges = learned(random_words(rng, "абвг", 8, 3, 6), 6)
    for length in range(8):
        word = "".join(rng.choices("абвг" + "ҷӯ7w", k=length))
        got = encoded(student, word, merges)
        expect(
            "".join(got) == word, hint="Which letter of the input got lost or changed?", input=(word, merges), got=got
        )


@check("bpe.encode", points=2)
def earlier_merges_go_first(student, rng):
    """Where two merges compete for a letter, the one that was learned earlier wins."""
    a, b, c = rng.sample(LETTERS, 3)
    cases = [(a + b + c, [(b, c), (a, b)]), (a + b + c, [(a, b), (b, c)])]
    for _ in range(6):
        letters = rng.sample(LETTERS, 6)
        corpus = {"".join(rng.sample(letters, rng.randint(2, 6))): 1 for _ in range(8)}
        merges = learned(corpus, 8)
        seen = {letter for pair in merges for symbol in pair for letter in symbol}
        # every letter occurs once and in some merge: here the order alone decides
        words = ("".join(p) for p in rng.sample(list(permutations(letters, 4)), 25))
        cases += [
            (word, merges) for word in words if seen >= set(word) and in_order(word, merges) == by_rank(word, merges)
        ]
    for word, merges in sorted(cases, key=lambda case: (len(case[1]), case[0])):
        got = encoded(student, word, merges)
        expect(
            got == in_order(word, merges),
            hint="Go through the list of merges from its beginning, and see what each one does to the word.",
            input=(word, merges),
            got=got,
        )


@check("bpe.encode", points=1)
def a_merge_works_at_every_place(student, rng):
    """A merge is applied at every place of the word where it fits."""
    for times in range(1, 6):
        a, b, c = rng.sample(LETTERS, 3)
        for word, merges in [((a + b) * times, [(a, b)]), ((a + b + c) * times, [(a, b), (a + b, c)])]:
            got = encoded(student, word, merges)
            expect(
                got == in_order(word, merges),
                hint="How often does the first merge fit into this word?",
                input=(word, merges),
                got=got,
            )


# 5. Bytes. The oracle writes token n as the character with the number n.


def replaced(tokens, pair, new):
    text = "".join(map(chr, tokens)).replace("".join(map(chr, pair)), chr(new))
    return [ord(character) for character in text]


def byte_tokens(text, merges):
    tokens = list(text.encode())
    for number, pair in enumerate(merges):
        tokens = replaced(tokens, pair, 256 + number)
    return tokens


def bytes_of(tokens, merges):
    """The bytes that `tokens` stand for: the newest merge is taken apart first."""
    tokens = list(tokens)
    for number in reversed(range(len(merges))):
        tokens = [part for token in tokens for part in (merges[number] if token == 256 + number else (token,))]
    return bytes(tokens)


def byte_merges(rng, text, number):
    """Merges of neighbours in `text`, chosen at random; fewer than `number` if nothing is left to join."""
    merges, tokens = [], list(text.encode())
    while len(merges) < number and len(tokens) > 1:
        place = rng.randrange(len(tokens) - 1)
        merges.append((tokens[place], tokens[place + 1]))
        tokens = replaced(tokens, merges[-1], 255 + len(merges))
    return merges


def unicode_texts(rng):
    """Texts from all over Unicode, the shortest first."""
    ranges = [(0, 0x80), (0x400, 0x530), (0x600, 0x700), (0x2000, 0x2070), (0x4E00, 0x9FFF), (0x1F300, 0x1FAFF)]
    singles = [chr(rng.randrange(*bounds)) for bounds in ranges]
    fixed = ["", " ", "\n", "и\u0306", "ӯҳ", "می\u200cروم", "👩🏽\u200d🌾", "\ufffd", "  Об \t"]
    anything = [chr(number) for number in rng.sample(range(0x110000), 40) if not 0xD800 <= number <= 0xDFFF]
    mixed = ["".join(rng.choices(singles + fixed + anything, k=rng.randint(2, 8))) for _ in range(15)]
    return sorted(fixed + singles + anything + mixed, key=len)


@check("bytes.code", points=1)
def tokens_stand_for_the_bytes(student, rng):
    """The tokens of any text stand for exactly its UTF-8 bytes."""
    for text in unicode_texts(rng):
        merges = byte_merges(rng, text, rng.randint(0, 4))
        got = student.encode_bytes(text, list(merges))
        numbers = isinstance(got, (list, tuple)) and all(isinstance(t, int) and 0 <= t < 256 + len(merges) for t in got)
        expect(
            numbers,
            hint="Give back a list of token numbers below {size}.",
            input=text,
            got=got,
            _size=256 + len(merges),
        )
        same = bytes_of(got, merges) == text.encode()
        expect(same, hint="Which bytes do these tokens stand for?", input=(text, merges), got=got)


@check("bytes.code", points=1)
def byte_merges_are_applied_in_order(student, rng):
    """The merges of bytes are applied in their order, and merge number n makes the token 256 + n."""
    cases = [("abc", [(98, 99), (97, 98)]), ("aaa", [(97, 97)]), ("abab", [(97, 98), (256, 256)])]
    for length in range(2, 16):
        text = "".join(rng.choices("abcd", k=length))
        cases.append((text, byte_merges(rng, text, 5)))
        other = byte_merges(rng, "".join(rng.choices("abcd", k=12)), 6)
        if byte_tokens(text, other) == by_rank_of_bytes(text, other):
            cases.append((text, other))
    for text, merges in cases:
        got = student.encode_bytes(text, list(merges))
        right = isinstance(got, (list, tuple)) and list(got) == byte_tokens(text, merges)
        expect(right, hint="Apply the merges one by one on paper.", input=(text, merges), got=got)


def by_rank_of_bytes(text, merges):
    tokens = list(text.encode())
    while fitting := [n for n, pair in enumerate(merges) if pair in pairwise(tokens)]:
        tokens = replaced(tokens, merges[fitting[0]], 256 + fitting[0])
    return tokens


@check("bytes.code", points=2)
def every_text_comes_back(student, rng):
    """The tokens of any text give back exactly that text."""
    for text in unicode_texts(rng):
        merges = byte_merges(rng, text, rng.randint(0, 4))
        tokens = byte_tokens(text, merges)
        got = student.decode_bytes(tokens, list(merges))
        expect(got == text, hint="When is it too early to turn bytes into letters?", input=(tokens, merges), got=got)


@check("bytes.code", points=1)
def broken_letters_are_marked(student, rng):
    """Half a letter gives one replacement character, and the text around it stays."""
    for _ in range(10):
        before, after = ("".join(rng.choices("abc .", k=rng.randint(0, 3))) for _ in range(2))
        half = rng.choice(LETTERS).encode()[0]
        tokens = [*before.encode(), half, *after.encode()]
        got = student.decode_bytes(tokens, [])
        expect(
            got == f"{before}\ufffd{after}",
            hint="What may Python do with bytes that it cannot read?",
            input=tokens,
            got=got,
        )


# 6. Measure what a language costs


def is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool)


def pieces(size):
    """An `encode` that cuts a whole text into pieces of `size` bytes."""

    def encode(text):
        expect(isinstance(text, str), hint="`encode` takes one text at a time.", got=text)
        return list(range(math.ceil(len(text.encode()) / size)))

    return encode


@check("fertility.measure", points=1)
def fertility_divides_once(student, rng):
    """Fertility is all tokens of the whole texts over all words."""
    for size in range(1, 9):
        encode = pieces(rng.randint(3, 6))
        texts = [rng.choice(row) for row in rng.sample(SENTENCES, size)]
        got = student.fertility(list(texts), encode)
        expect(is_number(got), hint="Give back a number.", input=texts, got=got)
        tokens, words = sum(len(encode(text)) for text in texts), sum(text.count(" ") + 1 for text in texts)
        right = math.isclose(got, tokens / words, rel_tol=1e-9)
        expect(
            right,
            hint="Here are {tokens} tokens and {words} words. Are texts encoded whole, and is there one division?",
            input=texts,
            got=got,
            _tokens=tokens,
            _words=words,
        )


@check("fertility.measure", points=1)
def any_white_space_separates_words(student, rng):
    """Words are separated by white space of any kind and length, also at the ends of a text."""
    for gap in ["\n", "\t", "  ", *("".join(rng.choices(" \n\t", k=3)) for _ in range(6))]:
        size = rng.randint(2, 6)
        words = rng.choices(["об", "нон", "себ", "ҷӯй"], k=size)
        text = rng.choice(["", gap]) + gap.join(words) + rng.choice(["", gap])
        got = student.fertility([text], pieces(4))
        expect(is_number(got), hint="Give back a number.", input=text, got=got)
        right = math.isclose(got, len(pieces(4)(text)) / size, rel_tol=1e-9)
        expect(right, hint="How many words does your code find in this text?", input=[text], got=got)


@check("fertility.measure", points=1)
def no_word_no_fertility(student, rng):
    """Texts without a single word have no fertility: ValueError is raised."""
    for texts in ([], [""], [" \n", ""]):
        with raises(ValueError, hint="What would the fertility of these texts mean?", input=texts):
            student.fertility(texts, pieces(4))


@check("fertility.measure", points=1)
def premium_compares_the_same_content(student, rng):
    """The premium is all tokens of the texts over all tokens of the reference."""
    for size in range(1, 9):
        encode = pieces(rng.randint(3, 6))
        left, right = rng.sample(range(3), 2)
        rows = rng.sample(SENTENCES, size)
        texts, reference = [row[left] for row in rows], [row[right] for row in rows]
        got = student.premium(list(texts), list(reference), encode)
        expect(is_number(got), hint="Give back a number.", input=(texts, reference), got=got)
        ours, theirs = (sum(len(encode(text)) for text in side) for side in (texts, reference))
        close = math.isclose(got, ours / theirs, rel_tol=1e-9)
        expect(
            close,
            hint="The texts have {ours} tokens, the reference has {theirs}. What else is in your premium?",
            input=(texts, reference),
            got=got,
            _ours=ours,
            _theirs=theirs,
        )


def phrase(rng):
    """Three words that mean nothing."""
    return " ".join("".join(rng.choices(LETTERS, k=rng.randint(2, 12))) for _ in range(3))


@check("fertility.measure", points=1)
def a_missing_translation_is_left_out(student, rng):
    """A text that is missing in one language counts in neither of the two sums."""
    for size in range(2, 9):
        encode = pieces(rng.randint(3, 6))
        # as many words on both sides: here only the missing texts matter
        pairs = [[phrase(rng), phrase(rng)] for _ in range(size)]
        for place in rng.sample(range(size), rng.randint(1, size - 1)):
            pairs[place][place % 2] = ""
        texts, reference = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        got = student.premium(list(texts), list(reference), encode)
        expect(is_number(got), hint="Give back a number.", input=(texts, reference), got=got)
        whole = [pair for pair in pairs if all(pair)]
        ratio = sum(len(encode(text)) for text, _ in whole) / sum(len(encode(other)) for _, other in whole)
        expect(
            math.isclose(got, ratio, rel_tol=1e-9),
            hint="An empty text costs nothing. What about the text that it should be compared with?",
            input=(texts, reference),
            got=got,
        )


# 7. A tokenizer for Tajik

#: Texts that a tokenizer is trained on here: enough for the bar below, and fast.
TRAINING_TEXTS = 3000


@lru_cache
def messages():
    """Tajik and English texts of programs."""
    table = data("ustod/tajik-interface")
    return [(row["tg"], row["en"]) for row in table if row["tg"] and row["en"]]


@lru_cache
def tajik_prose():
    """Tajik that is in no training text: the Declaration, and the sentences above."""
    declaration = [row["text"] for row in data("ustod/udhr") if row["lang"] == "tg"]
    return declaration + [tajik for tajik, _, _ in SENTENCES]


def data(name):
    import datasets

    datasets.logging.set_verbosity_error()  # its notices would go to the standard error of a graded cell
    return datasets.load_dataset(name, split="train")


def training_texts(rng, language):
    return [row[language] for row in rng.sample(messages(), TRAINING_TEXTS)]


def wrapped(student, texts, size):
    """The learner's tokenizer, after a look at what it is."""
    got = student.train_tokenizer(list(texts), size)
    right = all(hasattr(got, name) for name in ("encode", "decode", "get_vocab", "pad_token_id", "eos_token_id"))
    expect(right, hint="Give back the wrapped tokenizer of `transformers`.", got=got)
    return got


def is_token_list(value):
    return isinstance(value, list) and all(isinstance(token, int) for token in value)


def english_fertility(rng, size, texts):
    """Tokens per word of `texts` with a byte-level BPE of the same size, trained on English."""
    from tokenizers import ByteLevelBPETokenizer

    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(training_texts(rng, 1), vocab_size=size, show_progress=False)
    return sum(len(tokenizer.encode(text).ids) for text in texts) / sum(len(text.split()) for text in texts)


@check("tokenizer.train", points=1)
def the_vocabulary_keeps_its_size(student, rng):
    """The whole vocabulary, special tokens included, is no larger than asked for."""
    for size in (rng.randint(270, 400), rng.randint(500, 900)):
        vocabulary = wrapped(student, training_texts(rng, 0), size).get_vocab()
        expect(isinstance(vocabulary, dict), hint="Give back the wrapped tokenizer of `transformers`.", got=vocabulary)
        expect(
            len(vocabulary) <= size,
            hint="{size} tokens were asked for, and there are {count}. Where do the others come from?",
            input=size,
            got=len(vocabulary),
            _size=size,
            _count=len(vocabulary),
        )


@check("tokenizer.train", points=1)
def it_writes_what_it_reads(student, rng):
    """Any text, in any script, comes back exactly when it is encoded and decoded."""
    tokenizer = wrapped(student, training_texts(rng, 0)[:500], 400)
    for text in [*unicode_texts(rng), " Об", "Об, нон ва «себ» .", *rng.sample(tajik_prose(), 5)]:
        tokens = tokenizer.encode(text)
        expect(is_token_list(tokens), hint="`encode` should give a list of token numbers.", input=text, got=tokens)
        got = tokenizer.decode(tokens)
        expect(
            got == text,
            hint="Look at the first place where the two differ. Is it a space, or a rare character?",
            input=text,
            got=got,
        )


@check("tokenizer.train", points=1)
def padding_and_end_are_two_tokens(student, rng):
    """The padding token and the end token are in the vocabulary and are not the same."""
    tokenizer = wrapped(student, training_texts(rng, 0)[:500], 400)
    vocabulary = tokenizer.get_vocab()
    padding, end = tokenizer.pad_token_id, tokenizer.eos_token_id
    expect(isinstance(vocabulary, dict), hint="Give back the wrapped tokenizer of `transformers`.", got=vocabulary)
    named = padding is not None and padding == vocabulary.get("<pad>")
    expect(named, hint="Does the wrapper know which token is for padding?", got=padding)
    named = end is not None and end == vocabulary.get("<eos>")
    expect(named, hint="Does the wrapper know which token ends a text?", got=end)


@check("tokenizer.train", points=2)
def tajik_costs_less(student, rng):
    """Held-out Tajik needs far fewer tokens than with a tokenizer of the same size that was trained on English."""
    size = rng.randint(1000, 1500)
    tokenizer = wrapped(student, training_texts(rng, 0), size)
    texts = tajik_prose()
    tokens = [tokenizer.encode(text) for text in texts]
    expect(all(map(is_token_list, tokens)), hint="`encode` should give a list of token numbers.", got=tokens[0])
    own = sum(map(len, tokens)) / sum(len(text.split()) for text in texts)
    saved = 1 - own / english_fertility(rng, size, texts)
    expect(
        saved >= 0.67,
        hint="Your tokenizer needs {own} tokens per word and saves {saved} percent. Print some tokens. Are they words?",
        got=own,
        _own=round(own, 2),
        _saved=round(100 * saved),
    )


# 8. What does it cost you?


@check("cost.plan", points=2)
def the_longest_beginning_fits(student, rng):
    """As many paragraphs from the beginning are taken as fit into the window, one that fills it exactly included."""
    for size in range(9):
        encode = pieces(rng.randint(2, 6))
        paragraphs = [rng.choice(row) for row in rng.sample(SENTENCES, size)]
        ends = list(accumulate(len(encode(text)) for text in paragraphs))
        for window in sorted({0, 5, *ends, *(end - 1 for end in ends), *(end + 1 for end in ends)}):
            right = sum(end <= window for end in ends)
            got = student.paragraphs_that_fit(list(paragraphs), encode, window, 0)
            expect(
                is_number(got) and got == right,
                hint="The window has {window} tokens, the paragraphs end at {ends}. Where does the text end?",
                input=paragraphs,
                got=got,
                _window=window,
                _ends=ends,
            )


@check("cost.plan", points=1)
def the_answer_keeps_its_room(student, rng):
    """The tokens for the answer stay free."""
    for size in range(1, 8):
        paragraphs = ["об" * 5] * size
        for answer in (1, 7, 10, 25):
            window = rng.randint(0, 12 * size)
            right = max(0, min(size, (window - answer) // 10))
            got = student.paragraphs_that_fit(list(paragraphs), letters_of, window, answer)
            expect(
                is_number(got) and got == right,
                hint="The window has {window} tokens, {answer} of them for the answer. What is left for the text?",
                input=paragraphs,
                got=got,
                _window=window,
                _answer=answer,
            )


def letters_of(text):
    """An `encode` in which every letter is a token."""
    expect(isinstance(text, str), hint="`encode` takes one text at a time.", got=text)
    return list(text)


@check("cost.plan", points=1)
def prompt_and_answer_have_their_prices(student, rng):
    """The tokens of the prompt and of the answer are each billed at their own price per million."""
    for _ in range(10):
        encode = pieces(rng.randint(2, 6))
        prompt, answer = (rng.choice(rng.choice(SENTENCES)) for _ in range(2))
        prices = rng.randint(1, 40) / 4, rng.randint(41, 90) / 4
        got = student.request_price(prompt, answer, encode, *prices)
        expect(is_number(got), hint="Give back a number.", input=(prompt, answer, *prices), got=got)
        tokens = len(encode(prompt)), len(encode(answer))
        right = (tokens[0] * prices[0] + tokens[1] * prices[1]) / 10**6
        close = math.isclose(got, right, rel_tol=1e-9)
        expect(
            close,
            hint="The prompt has {prompt} tokens and the answer has {answer}. What do a million of each cost?",
            input=prices,
            got=got,
            _prompt=tokens[0],
            _answer=tokens[1],
        )
