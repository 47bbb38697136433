# %% [markdown]
# # Tokenization: what a language costs
#
# **How much more does a Tajik sentence cost than an English one?**
#
# A language model does not read letters or words. It reads **tokens**: pieces of text, each with a number. A
# **tokenizer** is the program that cuts a text into tokens. The list of all the tokens that it knows is its
# **vocabulary**.
#
# You pay for tokens. A service on the internet bills each token. A model on your own computer needs time and memory
# for each token. The text that a model can see at once, its **context window**, is counted in tokens as well.
#
# In this unit you build a tokenizer by hand. You measure what Tajik, Russian, Persian and English cost with a real
# one. Then you train a tokenizer for Tajik and see how much of the difference goes away.

# %% locked=true
from autograder.student import expect, open_unit

check = open_unit("u04_tokenization")

# %%
import re
from collections import Counter
from itertools import pairwise

import datasets
import matplotlib.pyplot as plt
import transformers
from datasets import load_dataset
from transformers import AutoTokenizer

datasets.logging.set_verbosity_error()
transformers.logging.set_verbosity_error()

LANGUAGES = {"en": "English", "tg": "Tajik", "ru": "Russian", "fa": "Persian"}

# %% [markdown]
# ## The data and a real tokenizer
#
# You use two sets of texts. The first is the Universal Declaration of Human Rights in four languages. It is careful
# prose. In most articles, each paragraph says the same in every language.
#
# The second is the text of two programs, Firefox and LibreOffice: menus, buttons and messages, translated by
# volunteers. It is larger, and it is raw. It holds placeholders such as `%PRODUCTNAME`, and a few strings that are
# Russian although they are filed as Tajik.
#
# The tokenizer belongs to SmolLM2, a small open model from 2024. Its vocabulary has 49,152 tokens.

# %%
messages = load_dataset("ustod/tajik-interface", split="train")
declaration = load_dataset("ustod/udhr", split="train")
smollm2 = AutoTokenizer.from_pretrained("HuggingFaceTB/SmolLM2-135M-Instruct")

print(f"{len(messages)} messages of programs, {len(declaration)} paragraphs of the Declaration")
for row in declaration:
    if (row["article"], row["paragraph"]) == (3, 1):
        print(f"{row['lang']}: {len(smollm2.encode(row['text'])):3} tokens   {row['text']}")

# %% [markdown]
# Article 3 has twelve words in English and eleven in Tajik. Compare the numbers of tokens.
#
# The figure shows where the cuts are. Each vertical line is a cut between two tokens. A short line below a letter
# means that the letter itself is cut into several tokens.


# %%
def draw_cuts(axis, text, tokenizer):
    """Write `text` letter by letter and draw a line wherever `tokenizer` cuts it."""
    spans = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    tokens_of_letter = Counter(start for start, _ in spans)
    for place, letter in enumerate(text):
        axis.text(place + 0.5, 0.5, letter, ha="center", va="center", family="monospace", fontsize=8)
        if place in tokens_of_letter:
            axis.plot([place, place], [0.15, 0.95], color="black", linewidth=0.8)
        for part in range(1, tokens_of_letter[place]):
            middle = place + part / tokens_of_letter[place]
            axis.plot([middle, middle], [-0.1, 0.15], color="black", linewidth=1.6)
    axis.set(xlim=(0, 82), ylim=(-0.2, 1))
    axis.set_title(f"{len(text)} characters, {len(spans)} tokens", loc="left", fontsize=9)
    axis.axis("off")


article_3 = {row["lang"]: row["text"] for row in declaration if (row["article"], row["paragraph"]) == (3, 1)}
figure, axes = plt.subplots(3, 1, figsize=(7, 2.6), layout="constrained")
for axis, language in zip(axes, ["en", "ru", "tg"], strict=True):
    draw_cuts(axis, article_3[language], smollm2)
plt.show()

# %% [markdown]
# English words are mostly one token each. Russian is cut into short pieces, Tajik into still shorter ones, and the
# letters `ғ ӣ қ ӯ ҳ ҷ` are each cut in two. Why? You will know when you have built a tokenizer.
#
# ## 1. Which letters stand together?
#
# Most language models of today use **byte-pair encoding**, in short BPE. The idea is from 1994, from a paper about
# compressing files. You start with single letters. You look for the two neighbours that occur together most often.
# You join them into one new symbol. Then you do the same again.
#
# A **symbol** is a piece of a word that is not cut any further. At first, each symbol is one letter. A **pair** is
# two symbols that stand side by side in one word. A **corpus** is the collection of text that you learn from.
#
# The corpus is stored as a dictionary. Its keys are words, cut into symbols. Its values say how often each word
# occurs in the corpus.


# %% exercise="pairs.count"
def count_pairs(words: dict[tuple[str, ...], int]) -> dict[tuple[str, str], int]:
    """Count every pair of neighbouring symbols in a corpus.

    `words` maps a word, cut into symbols, to the number of times that the word occurs in the corpus.
    The result maps each pair to the number of places in the corpus where it stands.
    For example, {("о", "б"): 3} gives {("о", "б"): 3}.
    """
    ### BEGIN SOLUTION
    counts: Counter = Counter()
    for symbols, times in words.items():
        for pair in pairwise(symbols):
            counts[pair] += times
    return dict(counts)
    ### END SOLUTION


# %% check="pairs.count"
@check.public("pairs.count")
def two_words_by_hand(student, rng):
    """The counts for two short words are the ones that you find by hand."""
    words = {("о", "б"): 1, ("о", "б", "у"): 2}
    got = student.count_pairs(words)
    expect(got == {("о", "б"): 3, ("б", "у"): 2}, hint="How often does each word occur?", input=words, got=got)


@check.public("pairs.count")
def one_letter_has_no_neighbour(student, rng):
    """A word of one symbol has no pair."""
    got = student.count_pairs({("ӯ",): 5})
    expect(got == {}, hint="A pair needs two symbols.", input={("ӯ",): 5}, got=got)


check("pairs.count")

# %% [markdown]
# Now count the real corpus. The next cell collects the Tajik words of all messages. It keeps the words that occur at
# least three times.

# %%
TAJIK_WORD = re.compile("[а-яёғӣқӯҳҷ]+")
tajik_words = Counter(word for text in messages["tg"][:] for word in TAJIK_WORD.findall(text.lower()))
tajik_words = {word: times for word, times in tajik_words.items() if times > 2}
print(f"{len(tajik_words)} different words, {sum(tajik_words.values())} in all")

if check.done("pairs.count"):
    tajik_pairs = count_pairs({tuple(word): times for word, times in tajik_words.items()})
    for pair in sorted(tajik_pairs, key=tajik_pairs.get, reverse=True)[:8]:
        print("".join(pair), tajik_pairs[pair])

# %% [markdown]
# ## 2. Join one pair
#
# To join a pair in a word, go through the word from left to right. Wherever the two symbols of the pair stand side by
# side, put one new symbol in their place, and go on **behind** it. A symbol that is already part of a new symbol
# cannot be used again.
#
# So in `ааа` the pair `а`, `а` is joined once, not twice. The result is `аа`, `а`.


# %% exercise="pairs.merge"
def merge_pair(symbols: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    """Join every place of `symbols` where the two symbols of `pair` stand side by side, from left to right.

    For example, ("о", "б", "о", "б") with the pair ("о", "б") gives ("об", "об").
    """
    ### BEGIN SOLUTION
    left, right = pair
    merged: list[str] = []
    for symbol in symbols:
        merged.append(symbol)
        if merged[-2:] == [left, right]:
            merged[-2:] = [left + right]
    return tuple(merged)
    ### END SOLUTION


# %% check="pairs.merge"
@check.public("pairs.merge")
def a_pair_is_joined_wherever_it_stands(student, rng):
    """A pair at the beginning and at the end of a word is joined in both places."""
    got = student.merge_pair(("о", "б", "у", "о", "б"), ("о", "б"))
    expect(list(got) == ["об", "у", "об"], hint="Look at both ends of the word.", input="о б у о б", got=got)


@check.public("pairs.merge")
def a_word_without_the_pair_stays(student, rng):
    """A word that does not hold the pair comes back as it was."""
    got = student.merge_pair(("б", "о", "ғ"), ("о", "б"))
    expect(list(got) == ["б", "о", "ғ"], hint="The order of the two symbols matters.", input="б о ғ", got=got)


check("pairs.merge")

# %% [markdown]
# ## 3. Learn the merges
#
# You have the two parts. Now put them into a loop. Count all pairs, choose the most frequent one, join it in every
# word, and write it down. Then count **again**, because the corpus has changed. Each pair that you write down is
# called a **merge**. The list of merges, in order, is all that a BPE tokenizer learns.
#
# If several pairs are equally frequent, you may take any of them. If no pair is left, stop early.
#
# Your function gets `count` and `merge` as arguments. In this notebook they are your own `count_pairs` and
# `merge_pair`. The grader passes its own, so a mistake in the first two exercises costs you nothing here.


# %% exercise="bpe.train"
def train_bpe(word_counts: dict[str, int], merges: int, count, merge) -> list[tuple[str, str]]:
    """Learn up to `merges` merges from a corpus, in the order in which they are made.

    `word_counts` maps a word, a plain string, to the number of times that it occurs.
    `count(words)` counts pairs as `count_pairs` does; `merge(symbols, pair)` joins a pair as `merge_pair` does.
    The list is shorter than `merges` only if no pair is left to join.
    """
    ### BEGIN SOLUTION
    words = {tuple(word): times for word, times in word_counts.items()}
    learned: list[tuple[str, str]] = []
    for _ in range(merges):
        counts = count(words)
        if not counts:
            break
        best = max(counts, key=counts.get)
        learned.append(best)
        words = {merge(symbols, best): times for symbols, times in words.items()}
    return learned
    ### END SOLUTION


# %% check="bpe.train"
@check.public("bpe.train")
def the_first_merge_by_hand(student, rng):
    """On three short words the first merge is the one that you find by hand."""

    def count(words):
        counts = Counter()
        for symbols, times in words.items():
            for pair in pairwise(symbols):
                counts[pair] += times
        return dict(counts)

    def merge(symbols, pair):
        return tuple("|".join(symbols).replace("|".join(pair), "".join(pair)).split("|"))

    words = {"об": 1, "обу": 1, "бод": 1}
    got = student.train_bpe(words, 1, count, merge)
    expect(isinstance(got, list), hint="Give back a list of pairs.", input=words, got=got)
    expect([tuple(pair) for pair in got] == [("о", "б")], hint="Which pair is the most frequent?", input=words, got=got)


check("bpe.train")

# %%
if check.done("pairs.count") and check.done("pairs.merge") and check.done("bpe.train"):
    tajik_merges = train_bpe(tajik_words, 150, count_pairs, merge_pair)
    print("First 25 merges:", " ".join(left + right for left, right in tajik_merges[:25]))
    long_tokens = [left + right for left, right in tajik_merges if len(left + right) > 4]
    print("Longer than four letters:", " ".join(long_tokens))

# %% [markdown]
# Look at the list. Nobody told your program any grammar. It found `ҳо`, which makes a plural, and `ро`, which marks
# an object. It found `кардан`, the verb that builds so many other verbs. It found whole words of computer programs,
# such as `саҳифа`, a page, because that is the corpus.
#
# This is why English is cheap. A tokenizer keeps long pieces of the language that it was trained on, and of no other.
#
# ## 4. Cut a new word
#
# Now the other direction. You have a new word and the list of merges. Start with single letters. Apply the merges
# **in the order in which they were learned**, each one to the whole word.
#
# It is tempting to look for the longest known token instead. That gives different tokens. A model that was trained
# with one way of cutting does not understand the other.


# %% exercise="bpe.encode"
def encode_word(word: str, merges: list[tuple[str, str]], merge) -> list[str]:
    """Cut `word` into tokens by applying `merges` in their order, each to the whole word.

    `merge(symbols, pair)` joins a pair as `merge_pair` does.
    A letter that occurs in no merge stays a token of one letter.
    """
    ### BEGIN SOLUTION
    symbols = tuple(word)
    for pair in merges:
        symbols = merge(symbols, pair)
    return list(symbols)
    ### END SOLUTION


# %% check="bpe.encode"
@check.public("bpe.encode")
def two_merges_by_hand(student, rng):
    """With two merges the tokens of a word are the ones that you find by hand."""

    def merge(symbols, pair):
        return tuple("|".join(symbols).replace("|".join(pair), "".join(pair)).split("|"))

    got = student.encode_word("обҳо", [("ҳ", "о"), ("о", "б")], merge)
    expect(isinstance(got, list), hint="Give back a list of tokens.", input="обҳо", got=got)
    expect(got == ["об", "ҳо"], hint="Apply one merge after the other.", input="обҳо", got=got)


check("bpe.encode")

# %%
if check.done("pairs.merge") and check.done("bpe.train") and check.done("bpe.encode") and check.done("pairs.count"):
    for word in ["кардани", "донишгоҳҳо", "пахтакорон", "university"]:
        print(word, "→", encode_word(word, tajik_merges, merge_pair))

# %% [markdown]
# A frequent verb form is one token. `донишгоҳҳо`, universities, shows its parts: `гоҳ` means a place, `ҳо` makes the
# plural. In `пахтакорон`, cotton growers, you find `кор`, which menus know as the word for work, but not `пахта`,
# cotton: no menu speaks of cotton. The English word falls into single letters. To your tokenizer English is a foreign
# language.
#
# ## 5. Bytes: nothing is unknown
#
# Your tokenizer knows only the letters that it has seen. What should it do with `ﷺ`, with `漢`, or with `🌾`? There are
# more than a hundred thousand characters. No vocabulary wants all of them.
#
# Modern tokenizers start from bytes instead. A **byte** is a number from 0 to 255. **UTF-8** is the rule by which
# computers write text as bytes. A basic Latin letter takes one byte. A Cyrillic letter takes two, a Chinese character
# three, most emoji four.

# %%
for character in "aбҷ漢🌾":
    print(character, list(character.encode("utf-8")))

# %% [markdown]
# In a **byte-level** tokenizer the tokens 0 to 255 are the bytes. Each merge then adds one token. The first merge
# makes the token 256, the second 257, and so on. A merge is now a pair of token numbers. With 256 bytes there is no
# text that cannot be written.
#
# You need both directions. `encode_bytes` turns a text into token numbers. `decode_bytes` turns token numbers into a
# text.
#
# There is one difficulty. A model may stop in the middle of a letter: it has written the first byte of `ҷ` and not
# the second. Such bytes are not valid UTF-8. Your function must not fail then. Python can put the sign `�`, the
# **replacement character**, in the place of what cannot be read, and keep the rest.


# %% exercise="bytes.code"
def encode_bytes(text: str, merges: list[tuple[int, int]]) -> list[int]:
    """Turn `text` into token numbers: its UTF-8 bytes, then every merge in order.

    Merge number n makes the token 256 + n. The first merge has the number 0.
    """
    ### BEGIN SOLUTION
    tokens = list(text.encode("utf-8"))
    for number, (left, right) in enumerate(merges):
        merged: list[int] = []
        for token in tokens:
            merged.append(token)
            if merged[-2:] == [left, right]:
                merged[-2:] = [256 + number]
        tokens = merged
    return tokens
    ### END SOLUTION


def decode_bytes(tokens: list[int], merges: list[tuple[int, int]]) -> str:
    """Turn token numbers back into a text, with the replacement character wherever bytes are not valid UTF-8."""
    ### BEGIN SOLUTION
    pieces = [bytes([byte]) for byte in range(256)]
    for left, right in merges:
        pieces.append(pieces[left] + pieces[right])
    return b"".join(pieces[token] for token in tokens).decode("utf-8", errors="replace")
    ### END SOLUTION


# %% check="bytes.code"
@check.public("bytes.code")
def one_merge_of_bytes(student, rng):
    """With one merge, the letter `ҷ` becomes one token, and that token becomes `ҷ` again."""
    merges = [tuple("ҷ".encode())]
    got = student.encode_bytes("ҷу", merges)
    expect(got == [256, 209, 131], hint="Print the bytes of the text first.", input="ҷу", got=got)
    got = student.decode_bytes([256, 209, 131], merges)
    expect(got == "ҷу", hint="Which bytes does the token 256 stand for?", input=[256, 209, 131], got=got)


check("bytes.code")

# %%
if check.done("bytes.code"):
    whole = encode_bytes("Об аз ҷӯй", [])
    for end in range(len(whole) - 5, len(whole) + 1):
        print(end, "tokens:", decode_bytes(whole[:end], []))

# %% [markdown]
# You have seen this sign before if you have watched a chat program write Tajik or Persian. It shows half a letter
# until the next token arrives.
#
# Now the figure at the top has an explanation. SmolLM2 works on bytes, and its tokenizer learned mainly from English
# text. It has merged the two bytes of most Russian letters, so there must have been some Russian in that text. It has
# not merged the bytes of `ғ ӣ қ ӯ ҳ ҷ`. Each of them stays two tokens.

# %%
for letters in ["aeinrst", "аеинрст", "ғӣқӯҳҷ"]:
    print({letter: len(smollm2.encode(letter)) for letter in letters})

# %% [markdown]
# ## 6. Measure what a language costs
#
# Two numbers are in use. You need both, because each of them hides something.
#
# The **fertility** of a tokenizer on some texts is the number of tokens per word:
# $\text{fertility} = \frac{\text{tokens}}{\text{words}}$. A word is whatever stands between white space. Add up all
# tokens, add up all words, then divide once. Do not average the fertilities of single messages: a message of one word
# would then count as much as a page.
#
# Fertility compares tokenizers on one language. It does not compare languages well, because languages differ in how
# much a word says. Where English uses small words such as `of` and `the`, Russian uses endings.
#
# The **premium** compares languages. Take texts that say the same thing in two languages. Divide the number of tokens
# in the one by the number of tokens in the other, the **reference**. A premium of 3 means: the same content costs
# three times as much.
#
# Give each text to `encode` as a whole. A space is usually part of the token behind it, so the tokens of a text are
# not the tokens of its separate words.


# %% exercise="fertility.measure"
def fertility(texts: list[str], encode) -> float:
    """Tokens per word over all `texts`; `encode(text)` gives the list of tokens of one text.

    Words are separated by white space of any kind and length.
    Raises ValueError if the texts hold no word at all.
    """
    ### BEGIN SOLUTION
    words = sum(len(text.split()) for text in texts)
    if words == 0:
        raise ValueError("There is no word in these texts.")
    return sum(len(encode(text)) for text in texts) / words
    ### END SOLUTION


def premium(texts: list[str], reference: list[str], encode) -> float:
    """Tokens of all `texts` divided by the tokens of all `reference` texts that say the same in another language.

    texts[i] and reference[i] belong together. Where either of them is the empty string, both are left out.
    """
    ### BEGIN SOLUTION
    both = [(text, other) for text, other in zip(texts, reference, strict=True) if text and other]
    return sum(len(encode(text)) for text, _ in both) / sum(len(encode(other)) for _, other in both)
    ### END SOLUTION


# %% check="fertility.measure"
@check.public("fertility.measure")
def one_token_per_letter(student, rng):
    """If every letter is a token, three words of two letters give a fertility of 8 / 3: the two spaces count too."""
    got = student.fertility(["об об об"], list)
    right = isinstance(got, float) and abs(got - 8 / 3) < 1e-9
    expect(right, hint="Count the tokens by hand.", input="об об об", got=got)


@check.public("fertility.measure")
def twice_as_long(student, rng):
    """If every letter is a token, a text of four letters has a premium of 2 over a text of two."""
    got = student.premium(["обҳо"], ["об"], list)
    right = isinstance(got, float) and abs(got - 2) < 1e-9
    expect(right, hint="Which text is divided by which?", input="обҳо", got=got)


check("fertility.measure")

# %% [markdown]
# Now answer the question of this unit with your own code. The next cell takes the paragraphs of the Declaration that
# stand in the same place in all four languages.

# %%
parallel = {code: [r["text"] for r in declaration if r["lang"] == code and r["aligned"]] for code in LANGUAGES}

if check.done("fertility.measure"):
    print(f"SmolLM2's tokenizer on {len(parallel['en'])} parallel paragraphs\n")
    print("language  fertility  premium over English")
    for code, name in LANGUAGES.items():
        cost = premium(parallel[code], parallel["en"], smollm2.encode)
        print(f"{name:9} {fertility(parallel[code], smollm2.encode):8.2f} {cost:10.2f}")

# %% [markdown]
# The same rights cost almost five times as much in Tajik as in English. Russian and Persian cost nearly as much. That
# is the answer for this tokenizer. Is it a property of the Tajik language? Find out: change the tokenizer and leave
# the language as it is.
#
# ## 7. A tokenizer for Tajik
#
# Your own BPE is right but slow. The library `tokenizers` does the same in Rust. A `Tokenizer` there is put together
# from parts:
#
# - a **model**, here `models.BPE()`, which holds the merges;
# - a **pre-tokenizer**, here `pre_tokenizers.ByteLevel(...)`, which turns a text into bytes and divides it into
#   words. Merges never go across the border of two words. Its option `add_prefix_space` puts a space before each
#   text. You do not want that;
# - a **decoder**, here `decoders.ByteLevel()`, which turns tokens back into text;
# - a **trainer**, here `trainers.BpeTrainer(...)`, which learns the merges. It is told the size of the vocabulary,
#   the special tokens, and, as `initial_alphabet`, the symbols that must be there even if the corpus lacks them. For
#   bytes that is `pre_tokenizers.ByteLevel.alphabet()`.
#
# **Special tokens** stand for something that is not text. A model needs at least two. The **padding token** fills up
# short texts in a batch. The **end token** says that the text is finished. They must be two different tokens. If
# padding and end are the same token, training code that ignores padding also ignores the end, and the model never
# learns to stop.
#
# At last, wrap the tokenizer as a `PreTrainedTokenizerFast`. Then it works everywhere in `transformers`, like
# SmolLM2's.

# %% exercise="tokenizer.train"
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast


def train_tokenizer(texts: list[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE tokenizer on `texts` and wrap it for `transformers`.

    The whole vocabulary, special tokens included, has at most `vocab_size` tokens.
    The padding token is "<pad>", the end token is "<eos>". Decoding gives back exactly the text that was encoded.
    Pass show_progress=False to the trainer to keep the notebook quiet.
    """
    ### BEGIN SOLUTION
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=["<pad>", "<eos>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>")
    ### END SOLUTION


# %% check="tokenizer.train"
@check.public("tokenizer.train")
def a_small_tokenizer_reads_and_writes(student, rng):
    """A tokenizer trained on one sentence gives that sentence back."""
    sentence = "Об манбаи ҳаёт аст."
    tokenizer = student.train_tokenizer([sentence] * 3, 300)
    expect(hasattr(tokenizer, "decode"), hint="Give back the wrapped tokenizer.", got=tokenizer)
    got = tokenizer.decode(tokenizer.encode(sentence))
    expect(got == sentence, hint="Which part turns tokens back into text?", input=sentence, got=got)


check("tokenizer.train")

# %% [markdown]
# A fair comparison needs equal conditions. Train one tokenizer on the Tajik messages and one on the same messages in
# English, with the same size of vocabulary. Measure both on the Declaration, which neither of them has seen. Text
# that was not used for training is called **held-out** text.

# %%
SIZES = [500, 1000, 2000, 4000]

if check.done("tokenizer.train") and check.done("fertility.measure"):
    texts = {code: messages[code][:] for code in ("tg", "en")}
    trained = {(code, size): train_tokenizer(texts[code], size) for code in texts for size in SIZES}
    curve = {key: fertility(parallel["tg"], tokenizer.encode) for key, tokenizer in trained.items()}

    figure, axis = plt.subplots(figsize=(7, 3.8), layout="constrained")
    axis.plot(SIZES, [curve["en", size] for size in SIZES], "k--s", label="trained on English messages")
    axis.plot(SIZES, [curve["tg", size] for size in SIZES], "k-o", label="trained on Tajik messages")
    of_smollm2 = fertility(parallel["tg"], smollm2.encode)
    axis.axhline(of_smollm2, color="gray", linestyle=":", label=f"SmolLM2, {len(smollm2)} tokens")
    axis.set(xscale="log", xticks=SIZES, xticklabels=SIZES, ylim=(0, None))
    axis.minorticks_off()
    axis.set(xlabel="tokens in the vocabulary", ylabel="tokens per Tajik word", title="Held-out Tajik prose")
    axis.legend(loc="center right", bbox_to_anchor=(1, 0.7))
    plt.show()

    print("Tokens of the same 50 paragraphs, each language with a tokenizer of its own (4,000 tokens)")
    for code in ("en", "tg"):
        tokens = sum(len(trained[code, 4000].encode(text)) for text in parallel[code])
        print(f"{LANGUAGES[code]:9} {tokens}")

# %% [markdown]
# Read three things from the figure and the table.
#
# A tokenizer that has seen only English never gets better at Tajik, however large its vocabulary is. It has no reason
# to join Cyrillic bytes.
#
# Your Tajik tokenizer with 1,000 tokens needs about half as many tokens as SmolLM2's with 49,152. What a vocabulary
# was trained on matters more than its size.
#
# And if each language gets its own tokenizer of the same size, the Declaration has 12 percent more tokens in Tajik
# than in English. With SmolLM2 it has 391 percent more. Almost all of the premium was made by the choice of training
# text. It is not a property of the language.
#
# There is a limit to this. A model for a hundred languages has one vocabulary, and the languages must share it. You
# measured what Tajik costs when it does not have to share.
#
# ## 8. What does it cost you?
#
# Two questions come up in every project. How much text fits into the context window? And what does a request cost?
#
# A context window holds the text that you send, called the **prompt**, and the answer that the model writes. So you
# must keep some room for the answer. Services bill both, at different prices, and state each price per million
# tokens.


# %% exercise="cost.plan"
def paragraphs_that_fit(paragraphs: list[str], encode, window: int, answer: int) -> int:
    """How many paragraphs from the beginning fit into the context window as a whole.

    `window` is the size of the context window in tokens, `answer` the number of tokens to keep free for the answer.
    A paragraph that fills the window exactly still fits. Where a paragraph does not fit, the text ends.
    """
    ### BEGIN SOLUTION
    room = window - answer
    for number, paragraph in enumerate(paragraphs):
        room -= len(encode(paragraph))
        if room < 0:
            return number
    return len(paragraphs)
    ### END SOLUTION


def request_price(prompt: str, answer: str, encode, prompt_price: float, answer_price: float) -> float:
    """What one request costs; the two prices are per million tokens of the prompt and of the answer."""
    ### BEGIN SOLUTION
    return (len(encode(prompt)) * prompt_price + len(encode(answer)) * answer_price) / 1_000_000
    ### END SOLUTION


# %% check="cost.plan"
@check.public("cost.plan")
def two_of_three_fit(student, rng):
    """If every letter is a token, two paragraphs of four letters fit into a window of ten tokens."""
    got = student.paragraphs_that_fit(["обҳо", "обҳо", "обҳо"], list, 10, 0)
    expect(got == 2, hint="Add up the tokens by hand.", input="a window of 10 tokens, paragraphs of 4", got=got)


@check.public("cost.plan")
def a_million_tokens(student, rng):
    """If every letter is a token, a million letters in the prompt cost the price of a million tokens."""
    got = student.request_price("о" * 1_000_000, "", list, 3.0, 5.0)
    right = isinstance(got, float) and abs(got - 3.0) < 1e-9
    expect(right, hint="Prices are per million.", input="a million letters", got=got)


check("cost.plan")

# %% [markdown]
# SmolLM2 has a context window of 8,192 tokens. Can it read the whole Declaration, and still have 500 tokens left for
# an answer?
#
# The prices below are examples, not the prices of any service. Put in today's prices of a service that you consider.
# The imagined task: each of 200 students sends the Declaration once a day for 20 days, to a model with a larger
# window, and gets Article 1 as an answer.

# %%
PROMPT_PRICE, ANSWER_PRICE = 2.0, 8.0  # example prices: somoni per million tokens

if check.done("cost.plan"):
    for code, name in LANGUAGES.items():
        paragraphs = [row["text"] for row in declaration if row["lang"] == code]
        fit = paragraphs_that_fit(paragraphs, smollm2.encode, 8192, 500)
        answer = next(row["text"] for row in declaration if row["lang"] == code and row["article"] == 1)
        month = 200 * 20 * request_price("\n".join(paragraphs), answer, smollm2.encode, PROMPT_PRICE, ANSWER_PRICE)
        print(f"{name:8} {fit:3} of {len(paragraphs)} paragraphs fit; a month costs {month:6.2f} somoni")

# %% [markdown]
# In English the Declaration leaves three quarters of the window free. In Tajik its last nine paragraphs are cut off.
# A chat program usually does this without telling you, and the model answers as if the text ended there.
#
# ## Where this goes wrong
#
# **Half a keyboard.** Many people write Tajik without `ғ ӣ қ ӯ ҳ ҷ`, because their keyboard has only Russian letters.
# Even this text of the Declaration holds `хукми` where `ҳукми` is meant. A tokenizer that was trained on careful text
# cuts such a word differently. To the model it is another word. The next cell measures what that costs.

# %%
RUSSIAN_KEYBOARD = str.maketrans("ғӣқӯҳҷҒӢҚӮҲҶ", "гикухчГИКУХЧ")

if check.done("tokenizer.train") and check.done("fertility.measure"):
    careless = [text.translate(RUSSIAN_KEYBOARD) for text in parallel["tg"]]
    for name, encode in [("SmolLM2", smollm2.encode), ("your Tajik tokenizer", trained["tg", 4000].encode)]:
        print(f"{name}: {fertility(parallel['tg'], encode):.2f} tokens per word with the six letters,", end=" ")
        print(f"{fertility(careless, encode):.2f} without them")
    for word in [" ҳуқуқи", " хукуки"]:
        print(word, "→", [trained["tg", 4000].decode([token]) for token in trained["tg", 4000].encode(word)])

# %% [markdown]
# SmolLM2 becomes cheaper when Tajik is written badly. Your tokenizer becomes more expensive. Decide what to do with
# such text before you train: unit 3 is about this.
#
# **A new tokenizer for an old model.** You cannot put your tokenizer into SmolLM2. The model has learned what its own
# token 5,000 means. In your vocabulary, 5,000 is something else. A new tokenizer needs a new model, or new training
# of the old one. In unit 6 you train a small model on Tajik from the beginning.
#
# **Few tokens are not good understanding.** Fertility measures cost. A vocabulary that holds whole sentences has a
# low fertility and is useless. Whether a model is good is measured with a task, as in unit 10.
#
# **The corpus shows.** Your tokenizer learned from menus of programs. It needs more tokens per word on the
# Declaration than on menus. On medical or farming text it may be worse still. Measure it on the text that you will
# really use.
#
# **Special tokens in the text.** What if a user types `<eos>`? By default a tokenizer turns these five characters
# into the real end token. Then a stranger can end your prompt. The next cell shows it, and the option that prevents it.

# %%
if check.done("tokenizer.train") and check.done("fertility.measure"):
    small = train_tokenizer(texts["tg"][:2000], 600)
    print("as a special token:", small.convert_ids_to_tokens(small.encode("Салом <eos>")))
    print("as plain text:     ", small.convert_ids_to_tokens(small.encode("Салом <eos>", split_special_tokens=True)))

# %% [markdown]
# ## What would you do with your own data?
#
# Take a text that you care about: lecture notes, letters of a farm, messages of a clinic (with the consent of those
# who wrote them, and without names). A few pages are enough to measure.
#
# 1. How many words and how many tokens does it have, with SmolLM2's tokenizer and with yours?
# 2. Which ten words need the most tokens? Are they the words that matter?
# 3. If you had to pay for a million words of it, what would the language cost you?
# 4. What would you have to collect so that your own tokenizer gets better on it? How much is enough?
#
# Write down your numbers. They belong in the first paragraph of any project that uses a language model in your
# language.
