# %% [markdown]
# # Fine-tuning with LoRA: was it worth it?
#
# **A department must sort ten thousand Tajik messages and has labelled two hundred. Is fine-tuning worth the
# electricity, or is counting words enough?**
#
# **Fine-tuning** means: you take a pretrained model and train it a little further, on examples of your own task. The
# model already knows something about language. You add what it cannot know.
#
# To train all the numbers of a model you need several times the memory that it takes to use it. **LoRA** (low-rank
# adaptation) trains a few thousand new numbers beside the model, and leaves the model as it is. In this unit you
# write LoRA yourself. Then you use the library `peft`, which does the same for real projects.
#
# The second half of the question is as important as the first. Before you train anything, you measure what a cheap
# method can do. After the training you measure what it cost, whether it won, and what the model has forgotten.

# %% locked=true
from autograder.student import expect, open_unit

check = open_unit("u08_finetuning_lora")

# %%
import copy
import hashlib
import math
import random
import re
import time
import warnings
from collections import Counter

import datasets
import matplotlib.pyplot as plt
import torch
import transformers
from accelerate import Accelerator
from datasets import Dataset, load_dataset
from peft import LoraConfig, get_peft_model
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import nn
from torch.nn import functional
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoTokenizer,
    BertConfig,
    BertModel,
    PrinterCallback,
    Trainer,
    TrainingArguments,
)

datasets.logging.set_verbosity_error()
datasets.disable_progress_bars()
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
warnings.simplefilter("ignore", FutureWarning)  # peft still asks transformers for a name that will go
torch.set_num_threads(1)  # raise it if your computer has cores to spare

# %% [markdown]
# ## The task
#
# The messages are those of Firefox and LibreOffice, which you know from unit 4 (`u04_tokenization`). Each message has
# an identifier that says which part of the program it comes from. From this we take a **label**: the right answer for
# an example. Imagine five desks in the department that checks translations. A Tajik message must go to the right one.
#
# | desk | what its messages are about |
# |---|---|
# | tables | functions and menus of the spreadsheet Calc |
# | databases | forms, queries and connections of Base |
# | security | certificates and secure connections |
# | welcome | the start page of Firefox and its tips |
# | add-ons | extensions and their permissions |
#
# The labels are real, but nobody made them for this purpose. Some messages, such as "Try again", could come from any
# of the desks.
#
# Placeholders such as `{ $name }` or `%S` are removed: they would give the desk away. Many messages are cast in the
# same mould: "Returns the … of a matrix". The next cell calls messages a **group** if their English text begins with
# the same four words. You need the groups soon.
#
# A quarter of the groups is kept away from this notebook. The grader asks your model about them at the end.

# %%
DESKS = {
    "tables": ("sc.mo:", "sca.mo:"),
    "databases": ("dba.mo:",),
    "security": ("neterror/nsserrors.ftl", "certError.ftl", "certManager.ftl", "pippki.ftl"),
    "welcome": ("newtab/newtab.ftl", "onboarding.ftl", "asrouter.ftl", "featureCallout.ftl"),
    "add-ons": ("aboutAddons.ftl", "addonNotifications.ftl", "extensionPermissions.ftl"),
}
CLASSES = list(DESKS)
PLACEHOLDER = re.compile(r"\{[^}]*\}|<[^>]*>|%\d*\$?[A-Za-z]|\$\(?\w+\)?|&\w+;|[«»\"“”~_]")
PER_DESK = 100  # messages of each desk in this notebook


def without_placeholders(text):
    """`text` without its placeholders, with single spaces."""
    return " ".join(PLACEHOLDER.sub(" ", text or "").split())


def labelled_messages():
    """Messages of 5 to 25 words as rows of English, Russian and Tajik text, with their desk and their group."""
    seen = set()
    for message in load_dataset("ustod/tajik-interface", split="train"):
        row = {code: without_placeholders(message[code]) for code in ("en", "ru", "tg")}
        desk = next((d for d, places in DESKS.items() if any(place in message["id"] for place in places)), None)
        words = len(re.findall("[а-яёғӣқӯҳҷ]+", row["tg"].lower()))
        if desk and 5 <= words <= 25 and row["ru"] not in ("", row["tg"]) and row["tg"] not in seen:
            seen.add(row["tg"])
            group = " ".join(re.findall("[a-z]+", row["en"].lower())[:4])
            yield {**row, "desk": desk, "group": group}


def kept_by_the_grader(row):
    """Whether the group of `row` is among the quarter that is used for grading only."""
    return int(hashlib.sha256(row["group"].encode()).hexdigest(), 16) % 4 == 0


here = [row for row in labelled_messages() if not kept_by_the_grader(row)]
random.Random(8).shuffle(here)
pool = Dataset.from_list([row for desk in CLASSES for row in [r for r in here if r["desk"] == desk][:PER_DESK]])
print(f"{len(pool)} messages, {len(set(pool['group']))} groups")
for desk in CLASSES:
    print(f"{desk:9}  {next(row['tg'] for row in pool if row['desk'] == desk)[:72]}")

# %% [markdown]
# ## 1. Two hundred labels, and no leak
#
# Divide the messages into a training set and a test set, as in unit 2 (`u02_optimisation`). There are three demands.
#
# The training set has the same number of messages of each desk. In this notebook it is 40, so 200 in all. They are
# drawn at random, and the draw depends on a seed: the same seed gives the same division.
#
# No group is on both sides. If "Returns the inverse of a matrix" is in training and "Returns the inverse of a
# distribution" in the test, a method that only remembers words looks clever. This is **data leakage**: knowledge of
# the answers that gets into training. In this unit there is a second way to leak: the same message in Russian in the
# training set and in Tajik in the test set.
#
# The test set is everything else: all messages whose group is not in the training set.


# %% exercise="split.grouped"
def few_shot_split(labels: list, groups: list, per_class: int, seed: int) -> tuple[list[int], list[int]]:
    """Draw `per_class` training examples of each class; the test set is every example whose group was not drawn.

    labels[i] and groups[i] belong to example i. Both results are lists of such numbers i.
    Raises ValueError if a class has fewer than `per_class` examples.
    """
    ### BEGIN SOLUTION
    order = list(range(len(labels)))
    random.Random(seed).shuffle(order)
    train: list[int] = []
    for label in sorted(set(labels)):
        members = [place for place in order if labels[place] == label]
        if len(members) < per_class:
            raise ValueError(f"There are only {len(members)} examples of the class {label}.")
        train += members[:per_class]
    drawn = {groups[place] for place in train}
    return train, [place for place in range(len(labels)) if groups[place] not in drawn]
    ### END SOLUTION


# %% check="split.grouped"
@check.public("split.grouped")
def one_of_each_by_hand(student, rng):
    """With one example of each class and four groups, one example of each class is left for the test."""
    labels, groups = ["a", "a", "b", "b"], [1, 2, 3, 4]
    train, test = student.few_shot_split(labels, groups, 1, 0)
    expect(sorted(labels[place] for place in train) == ["a", "b"], hint="One of each class.", input=labels, got=train)
    left = sorted(labels[place] for place in test)
    expect(left == ["a", "b"], hint="Which groups were not drawn?", input=(labels, groups), got=test)


check("split.grouped")

# %% [markdown]
# ## 2. One number that no desk can hide from
#
# **Accuracy** is the share of right answers. It has a weakness. If nine of ten messages go to one desk, a program
# that always names this desk is right in 90 percent of the cases, and useless to the other desks.
#
# So look at each class by itself. For a class, count three things: the examples that were rightly given to it (hits),
# the examples that were wrongly given to it (false alarms), and its own examples that were given to another class
# (misses). **Precision** is the share of hits among all that was given to the class. **Recall** is the share of hits
# among all that belongs to it. The **F1 score** joins both:
#
# $$F_1 = \frac{2 \cdot \text{hits}}{2 \cdot \text{hits} + \text{false alarms} + \text{misses}}$$
#
# The **macro-F1** is the mean of the F1 scores of all classes. Each desk counts as much as any other, however few
# messages it gets. A class that is never predicted has no precision, but it has an F1 score, and the formula gives
# it.


# %% exercise="score.macro"
def mean_f1(labels: list[str], predictions: list[str], classes: list[str]) -> float:
    """The macro-F1: the mean of the F1 scores of `classes`, each of which occurs in `labels` at least once."""
    ### BEGIN SOLUTION
    total = 0.0
    for one in classes:
        hits = sum(right == one == said for right, said in zip(labels, predictions, strict=True))
        total += 2 * hits / (labels.count(one) + predictions.count(one))
    return total / len(classes)
    ### END SOLUTION


# %% check="score.macro"
@check.public("score.macro")
def all_right_is_one(student, rng):
    """If every answer is right, the macro-F1 is 1."""
    got = student.mean_f1(["a", "b", "b"], ["a", "b", "b"], ["a", "b"])
    expect(isinstance(got, float) and abs(got - 1) < 1e-9, hint="There are hits only.", input="a b b", got=got)


@check.public("score.macro")
def three_answers_by_hand(student, rng):
    """For three answers, one of them wrong, the result is the one that you find by hand."""
    got = student.mean_f1(["a", "a", "b"], ["a", "b", "b"], ["a", "b"])
    right = isinstance(got, float) and abs(got - 2 / 3) < 1e-9
    expect(right, hint="Count hits, false alarms and misses for a, then for b.", input="a a b / a b b", got=got)


check("score.macro")

# %% [markdown]
# ## Before you train: what do cheap methods reach?
#
# A **baseline** is a simple method that a better one must beat. You need two.
#
# **Majority** always names the class that is the most frequent one in training.
#
# **TF-IDF** counts pieces of words, here two to five letters long. A piece counts more if it is rare in the other
# messages. A linear classifier then learns a weight for each piece and each desk. It needs no pretrained model and
# runs in less than a second on any computer.
#
# Measure it in two situations. In the first, somebody has labelled two hundred Tajik messages. In the second, the
# two hundred labels come from last year, when the messages were still in Russian. The test is Tajik in both.

# %%
SEEDS = (0, 1, 2)


def counting_words():
    """The TF-IDF baseline: pieces of two to five letters, and a linear classifier."""
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    return make_pipeline(pieces, LogisticRegression(C=30, max_iter=1000))


columns = {name: pool[name][:] for name in pool.column_names}


def rows_of(column, places):
    """The values of `column` of the pool at `places`."""
    return [columns[column][place] for place in places]


if check.done("split.grouped") and check.done("score.macro"):
    splits = {seed: few_shot_split(pool["desk"][:], pool["group"][:], 40, seed) for seed in SEEDS}
    by_counting, by_majority, seconds_of_counting = {}, [], 0.0
    for code in ("tg", "ru"):
        by_counting[code] = []
        for train, test in splits.values():
            begin = time.process_time()
            counter = counting_words().fit(rows_of(code, train), rows_of("desk", train))
            seconds_of_counting += (time.process_time() - begin) / (2 * len(SEEDS))
            said = counter.predict(rows_of("tg", test)).tolist()
            by_counting[code].append(mean_f1(rows_of("desk", test), said, CLASSES))
    for train, test in splits.values():
        most = Counter(rows_of("desk", train)).most_common(1)[0][0]
        by_majority.append(mean_f1(rows_of("desk", test), [most] * len(test), CLASSES))
    print("macro-F1 on Tajik messages, three seeds    ", "  ".join(f"seed {seed}" for seed in SEEDS))
    print("majority                                   ", "  ".join(f"{score:6.3f}" for score in by_majority))
    print("TF-IDF, 200 labelled Tajik messages        ", "  ".join(f"{score:6.3f}" for score in by_counting["tg"]))
    print("TF-IDF, 200 labelled Russian messages      ", "  ".join(f"{score:6.3f}" for score in by_counting["ru"]))

# %% [markdown]
# With Tajik labels, counting pieces of words is strong. Remember this number. With Russian labels it is weak: the two
# languages share letters and some words, such as `файл`, but not much more.
#
# A pretrained encoder could help in the second situation. It has read a hundred languages, Russian among them. Can it
# carry over to Tajik what Russian labels teach it?
#
# ## 3. A layer with an adapter
#
# A linear layer multiplies its input with a matrix of weights $W$ and adds a bias. Fine-tuning would change $W$ to
# $W + \Delta$. The idea of LoRA is that $\Delta$ need not be an arbitrary matrix. It is the product of two thin ones:
#
# $$\Delta = \frac{\alpha}{r}\, B A$$
#
# Here $A$ has $r$ rows and as many columns as the layer has inputs. $B$ has as many rows as the layer has outputs,
# and $r$ columns. The number $r$ is the **rank** of the adapter: how many directions the change can have. It is
# small, for example 8. The number $\alpha$ (alpha) sets how strongly the adapter acts.
#
# A layer with 384 inputs and 384 outputs has 147,456 weights. An **adapter** of rank 8, the two thin matrices, has
# 6,144.
#
# The weights of the layer are **frozen**: they are not trained. Only $A$ and $B$ are.
#
# How do you start? At the start, the layer must do exactly what it did before: you want to keep what the model knows.
# So one of the matrices is zero. But if both are zero, no gradient reaches either of them, and the adapter never
# learns anything. So $A$ starts with small random numbers and $B$ with zeros.

# %%


def plain_layer(weight, bias=None):
    """A linear layer with the given weights."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, dtype=weight.dtype)
    with torch.no_grad():
        layer.weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer


def numbers_of(module):
    """The parameters of a module by name: their values, and whether they are trained."""
    return {name: (p.detach().clone(), p.requires_grad) for name, p in module.named_parameters()}


def take_a_step(module, inputs, rate=0.1):
    """One step of gradient descent on the mean square of the outputs, for all that has a gradient."""
    module.zero_grad()
    (module(inputs) - 1).square().mean().backward()
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.grad is not None:
                parameter -= rate * parameter.grad
    return numbers_of(module)


# %% [markdown]
# Call the frozen layer `base` and the two matrices `A` and `B`, and give them the dtype of the base's weights.


# %% exercise="lora.layer"
class LoRALinear(nn.Module):
    """A frozen linear layer `base` with an adapter beside it: matrices `A` (rank × inputs) and `B` (outputs × rank)."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float):
        super().__init__()
        ### BEGIN SOLUTION
        self.base = base.requires_grad_(False)
        self.scale = alpha / rank
        outputs, inputs = base.weight.shape
        self.A = nn.Parameter(torch.randn(rank, inputs, dtype=base.weight.dtype) / rank)
        self.B = nn.Parameter(torch.zeros(outputs, rank, dtype=base.weight.dtype))
        ### END SOLUTION

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The output of the base plus alpha / rank times what the adapter makes of `x` (…, inputs)."""
        ### BEGIN SOLUTION
        return self.base(x) + self.scale * (x @ self.A.T @ self.B.T)
        ### END SOLUTION


# %% check="lora.layer"
@check.public("lora.layer")
def a_new_adapter_changes_nothing(student, rng):
    """A layer with a new adapter gives exactly the outputs of the base."""
    weight = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    x = torch.tensor([[1.0, 0.0, -1.0]])
    got = student.LoRALinear(student.plain_layer(weight), 1, 2.0)(x)
    expect(torch.is_tensor(got), hint="`forward` gives back a tensor.", input=x, got=got)
    expect(torch.equal(got, x @ weight.T), hint="What is B at the start?", input=x, got=got)


check("lora.layer")

# %%
if check.done("lora.layer"):
    torch.manual_seed(0)
    large = LoRALinear(nn.Linear(384, 384), 8, 16)
    for name, (values, trained) in numbers_of(large).items():
        print(f"{name:12} {values.numel():7,} numbers, {'trained' if trained else 'frozen'}")

# %% [markdown]
# ## 4. Merge, and take it back
#
# The adapter costs time: two more products in each layer. When the training is over, you can add $\Delta$ to the
# weights once. This is called **merging** the adapter. The merged layer is an ordinary one, as fast as before, and
# gives the same outputs up to rounding.
#
# You can also take the adapter out again: subtract $\Delta$. So one model can serve ten departments, each with a
# small file of its own.
#
# Write both as functions of matrices. They give back new matrices and leave those that they get as they are.


# %% exercise="lora.merge"
def merge(weight: torch.Tensor, A: torch.Tensor, B: torch.Tensor, alpha: float) -> torch.Tensor:
    """The weights of an ordinary layer that does the same as `weight` with its adapter (the rank follows from A)."""
    ### BEGIN SOLUTION
    return weight + alpha / len(A) * (B @ A)
    ### END SOLUTION


def unmerge(merged: torch.Tensor, A: torch.Tensor, B: torch.Tensor, alpha: float) -> torch.Tensor:
    """The weights that the layer had before the adapter was merged."""
    ### BEGIN SOLUTION
    return merged - alpha / len(A) * (B @ A)
    ### END SOLUTION


# %% check="lora.merge"
@check.public("lora.merge")
def two_by_two_by_hand(student, rng):
    """With rank 1 and alpha 2, the merged matrix is the one that you find by hand."""
    weight, A, B = torch.zeros(2, 2), torch.tensor([[1.0, 3.0]]), torch.tensor([[1.0], [0.0]])
    got = student.merge(weight, A, B, 2.0)
    expect(torch.is_tensor(got), hint="Give back a matrix.", input=(weight, A, B), got=got)
    expect(got.tolist() == [[2.0, 6.0], [0.0, 0.0]], hint="First compute B A.", input=(weight, A, B), got=got)


check("lora.merge")

# %%
if check.done("lora.merge"):
    torch.manual_seed(0)
    A, B = torch.randn(8, 384) / 20, torch.randn(384, 8) / 20
    print("largest difference after merge and unmerge")
    for dtype in (torch.float64, torch.float32, torch.bfloat16):
        weight = (torch.randn(384, 384) / 20).to(dtype)
        there_and_back = unmerge(merge(weight, A.to(dtype), B.to(dtype), 16), A.to(dtype), B.to(dtype), 16)
        print(f"{dtype!s:15} {(there_and_back - weight).abs().max().item():.1e}")

# %% [markdown]
# Rounding stays behind. In `bfloat16`, a number format of 16 bits with about three digits, it is large enough to
# matter. Keep the base model on disk, and do not merge and unmerge the same weights again and again.
#
# ## 5. Into the model
#
# A transformer (unit 5, `u05_transformer`) has many linear layers. LoRA is put into some of them, usually those that
# make queries and values in the attention. They are found by name: `query` and `value` in BERT, `q_proj` and `v_proj`
# in Llama.
#
# `model.named_children()` gives the parts of a module with their names, `model.modules()` all modules inside a model.
# `setattr(parent, name, new)` puts a new part in place of the old one.
#
# Everything else in the model is frozen: embeddings, normalisation, the other linear layers. If you forget this, the
# optimiser moves 118 million numbers, and the model forgets what it knew.
#
# The new layers are made by `layer(old, rank, alpha)`. In this notebook that is your `LoRALinear`. The grader passes
# `OffsetLinear`, a much simpler adapter, so a mistake in Exercise 3 costs you nothing here.


# %%
class OffsetLinear(nn.Module):
    """A linear layer with the simplest adapter: one trained number for each output. It notes what it was told."""

    def __init__(self, base, rank, alpha):
        super().__init__()
        self.base, self.told = base, [rank, alpha]
        self.offset = nn.Parameter(torch.zeros(base.out_features))

    def forward(self, x):
        return self.base(x) + self.offset


def tiny_encoder(layers=2):
    """A BERT encoder with random weights and 16 numbers for each token."""
    config = BertConfig(
        vocab_size=30, hidden_size=16, num_hidden_layers=layers, num_attention_heads=2, intermediate_size=24
    )
    return BertModel(config, add_pooling_layer=False).eval()


def parts_of(model):
    """The names of all modules in a model, with their kinds."""
    return {name: type(module).__name__ for name, module in model.named_modules()}


def told_of(model):
    """The rank and alpha that each `OffsetLinear` in a model was told."""
    return [module.told for module in model.modules() if isinstance(module, OffsetLinear)]


print(*[name for name, kind in parts_of(tiny_encoder(1)).items() if kind == "Linear"], sep="\n")


# %% exercise="adapters.place"
def add_adapters(model: nn.Module, names: set[str], rank: int, alpha: float, layer) -> int:
    """Freeze the model and replace each linear layer whose own name is in `names` by layer(old, rank, alpha).

    The own name of `encoder.layer.0.attention.self.query` is `query`. The model itself is changed.
    The result says how many numbers of the model are trained now.
    """
    ### BEGIN SOLUTION
    model.requires_grad_(False)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if name in names and isinstance(child, nn.Linear):
                setattr(parent, name, layer(child, rank, alpha))
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    ### END SOLUTION


# %% check="adapters.place"
@check.public("adapters.place")
def two_layers_get_two_adapters(student, rng):
    """In an encoder of two layers, two layers called `query` are replaced, and 32 numbers are trained."""
    model = student.tiny_encoder(2)
    got = student.add_adapters(model, {"query"}, 4, 8.0, student.OffsetLinear)
    kinds = Counter(student.parts_of(model).values())
    expect(kinds["OffsetLinear"] == 2, hint="How many layers are called query?", input="query", got=dict(kinds))
    expect(got == 32, hint="An OffsetLinear here trains 16 numbers.", input="query", got=got)


check("adapters.place")

# %% [markdown]
# ## 6. The encoder, and what is computed only once
#
# Now the real model. `multilingual-e5-small` has 118 million parameters. It was trained on texts of a hundred
# languages, so that texts which mean the same get similar vectors. Unit 9 uses it for search. Its authors tell you to
# write `query: ` before a short text.
#
# It has twelve layers. If you train adapters only in the last two, the first ten always give the same result for the
# same text. So compute this result once, keep it, and train on it. This saves about five sixths of the work in each
# step. It is possible because the lower layers are frozen.

# %%
FIRST = 10  # the first layer that is trained
NAME = "intfloat/multilingual-e5-small"
tokenizer = AutoTokenizer.from_pretrained(NAME)
encoder = AutoModel.from_pretrained(NAME, dtype="auto").float().eval()


def encode(texts):
    """For each text, what the frozen lower layers make of it: a tensor of tokens × 384."""
    ids = tokenizer([f"query: {text}" for text in texts], truncation=True, max_length=32)["input_ids"]
    found = [None] * len(texts)
    order = sorted(range(len(ids)), key=lambda place: len(ids[place]))  # texts of equal length need no padding
    for first in range(0, len(order), 16):
        places = order[first : first + 16]
        batch = tokenizer.pad({"input_ids": [ids[place] for place in places]}, return_tensors="pt")
        with torch.no_grad():
            states = encoder(**batch, output_hidden_states=True).hidden_states[FIRST]
        for row, place in zip(states, places, strict=True):
            found[place] = row[: len(ids[place])].clone()
    return found


begin = time.process_time()
states = {code: encode(pool[code][:]) for code in ("ru", "tg")}
seconds_of_encoding = time.process_time() - begin
print(f"{2 * len(pool)} texts in {seconds_of_encoding:.1f} CPU seconds")

# %% [markdown]
# The upper part is a small model of its own. It takes the kept states, sends them through the last two layers, and
# takes the mean over the tokens of a text. The result is one vector for each text, called its **embedding**. The
# **head** is a new linear layer, which turns the embedding into one logit for each desk.
#
# The embeddings of E5 all point in nearly the same direction. So the mean embedding of the training texts, the
# centre, is subtracted first. The forward pass gives back a dictionary with `"logits"` and, if there are labels,
# `"loss"`. This is the form that the libraries expect.


# %%
class TopLayers(nn.Module):
    """The last layers of an encoder and a head: kept states of texts in, one logit for each class out."""

    def __init__(self, encoder, first, classes):
        super().__init__()
        self.layers = copy.deepcopy(encoder.encoder.layer[first:])
        size = encoder.config.hidden_size
        self.head = nn.Linear(size, classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("centre", torch.zeros(size))

    def embed(self, states, mask):
        """One vector of length 1 for each text."""
        far_below = torch.finfo(states.dtype).min
        hidden = (1 - mask[:, None, None, :].to(states.dtype)) * far_below
        for layer in self.layers:
            states = layer(states, attention_mask=hidden)
        return functional.normalize((states * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True), dim=-1)

    def forward(self, states, mask, labels=None):
        logits = 20 * self.head(self.embed(states, mask) - self.centre)
        if labels is None:
            return {"logits": logits}
        return {"loss": functional.cross_entropy(logits, labels), "logits": logits}


def collate(states, labels=None):
    """A batch of texts of different lengths: padded states, the mask, and the labels as numbers."""
    batch = {"states": nn.utils.rnn.pad_sequence(states, batch_first=True)}
    lengths = torch.tensor([len(one) for one in states])
    batch["mask"] = (torch.arange(batch["states"].shape[1])[None] < lengths[:, None]).long()
    if labels is not None:
        batch["labels"] = torch.tensor([CLASSES.index(label) for label in labels])
    return batch


def embeddings(model, states):
    """The embeddings of many texts."""
    top = model.get_base_model() if hasattr(model, "get_base_model") else model
    with torch.no_grad():
        return torch.cat([top.embed(**collate(states[i : i + 32])) for i in range(0, len(states), 32)])


bare = TopLayers(encoder, FIRST, len(CLASSES)).eval()
whole = sum(parameter.numel() for parameter in encoder.parameters())
print(f"whole encoder {whole:,} parameters, the upper part {sum(p.numel() for p in bare.parameters()):,}")

# %% [markdown]
# Put your own adapters into this real model. Then let `peft` do the same. `LoraConfig` says where the adapters go,
# and `get_peft_model` puts them there. `modules_to_save` names new parts that are trained in full: here the head.

# %%


def with_lora(model, rank=8, dropout=0.1):
    """`model` with LoRA in the queries and values of its layers, by `peft`; the head is trained in full."""
    config = LoraConfig(
        r=rank,
        lora_alpha=2 * rank,
        lora_dropout=dropout,
        target_modules=["query", "value"],
        modules_to_save=["head"],
    )
    return get_peft_model(model, config)


if check.done("lora.layer") and check.done("adapters.place"):
    mine = copy.deepcopy(bare)
    number = add_adapters(mine, {"query", "value"}, 8, 16, LoRALinear)
    difference = (embeddings(mine, states["tg"][:32]) - embeddings(bare, states["tg"][:32])).abs().max().item()
    print(f"your adapters: {number:,} numbers trained; largest change of an embedding: {difference}")
    by_peft = with_lora(copy.deepcopy(bare))
    number = sum(p.numel() for name, p in by_peft.named_parameters() if "lora_" in name)
    head = sum(p.numel() for p in bare.head.parameters())
    print(f"peft's:        {number:,} numbers trained, and {head:,} of the head")
    print(f"together {100 * (number + head) / whole:.3f} percent of the encoder")

# %% [markdown]
# ## 7. The training loop, by hand
#
# You know the loop from unit 2 (`u02_optimisation`). Here torch's `AdamW` makes the steps, and `accelerate` takes
# care of the hardware. Three lines change:
#
# - `model, optimizer = accelerator.prepare(model, optimizer)` puts both where they belong: here the CPU, one
#   day a GPU;
# - `accelerator.backward(loss)` stands in place of `loss.backward()`;
# - only the parameters that are trained are given to the optimiser.
#
# **Dropout** sets some numbers to zero at random, so that the model does not rely on single ones. It acts in training
# mode, after `model.train()`, and not in evaluation mode, after `model.eval()`. Begin with the first and leave the
# model in the second.
#
# Go through the batches in the given order, `epochs` times. An **epoch** is one pass through all batches. Gradients
# of earlier batches must not be added to those of the next one.

# %%


class Recorder(nn.Module):
    """A tiny model for trying out a training loop. It notes its losses, and whether it was in training mode."""

    def __init__(self, weight, frozen):
        super().__init__()
        self.weight = nn.Parameter(weight.clone())
        self.frozen = nn.Parameter(frozen.clone(), requires_grad=False)
        self.losses, self.modes = [], []

    def forward(self, x, y):
        loss = (x @ (self.weight + self.frozen) - y).square().mean()
        self.losses.append(loss.item())
        self.modes.append(self.training)
        return {"loss": loss}


class CountingAccelerator(Accelerator):
    """An `Accelerator` for the CPU that counts how often it was asked for gradients."""

    def __init__(self):
        super().__init__(cpu=True)
        self.asked = 0

    def backward(self, loss, **options):
        self.asked += 1
        super().backward(loss, **options)


# %% exercise="adapt.train"
def adapt(model: nn.Module, batches: list[dict], epochs: int, lr: float, accelerator: Accelerator) -> list[float]:
    """Train the parameters of `model` that are not frozen, with torch.optim.AdamW at the learning rate `lr`.

    All other settings of AdamW stay as torch has them.
    `model(**batch)` gives back a dictionary with the "loss" of the batch.
    The result holds the loss of each step, before that step was made. The model is left in evaluation mode.
    """
    ### BEGIN SOLUTION
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=lr)
    model, optimizer = accelerator.prepare(model, optimizer)
    model.train()
    losses = []
    for _ in range(epochs):
        for batch in batches:
            loss = model(**batch)["loss"]
            losses.append(loss.item())
            optimizer.zero_grad()
            accelerator.backward(loss)
            optimizer.step()
    model.eval()
    return losses
    ### END SOLUTION


# %% check="adapt.train"
@check.public("adapt.train")
def the_loss_falls(student, rng):
    """In ten steps on one batch, the loss of a tiny model falls."""
    model = student.Recorder(torch.zeros(2), torch.zeros(2))
    batch = {"x": torch.tensor([[1.0, 0.0], [0.0, 1.0]]), "y": torch.tensor([1.0, -1.0])}
    got = student.adapt(model, [batch], 10, 0.1, student.CountingAccelerator())
    expect(
        isinstance(got, list) and len(got) == 10, hint="One loss for each step.", input="10 epochs, 1 batch", got=got
    )
    expect(got[-1] < got[0] / 2, hint="Which parameters did you give to the optimiser?", input="10 steps", got=got)


check("adapt.train")

# %% [markdown]
# Now adapt the encoder, with Russian labels, for three seeds. The seed decides which messages are drawn, how the
# adapter starts, and the order of the batches. The list of batches holds four passes over the 200 messages, each in a
# new order, so `adapt` goes through the list once.

# %%


def labelled_batches(code, places, seed, epochs=4, size=16):
    """Batches for `epochs` passes over the labelled messages at `places`, in a new random order each time."""
    order, drawn = random.Random(seed), list(places)
    batches = []
    for _ in range(epochs):
        order.shuffle(drawn)
        for first in range(0, len(drawn), size):
            some = drawn[first : first + size]
            batches.append(collate([states[code][place] for place in some], rows_of("desk", some)))
    return batches


def new_model(code, train, seed):
    """The upper part of the encoder with fresh adapters, centred on the training texts."""
    torch.manual_seed(seed)
    model = copy.deepcopy(bare)
    model.centre.copy_(embeddings(model, [states[code][place] for place in train]).mean(0))
    return with_lora(model)


if check.done("split.grouped") and check.done("score.macro") and check.done("adapt.train"):
    adapted, losses_of = {}, {}
    begin = time.process_time()
    for seed, (train, _) in splits.items():
        model = new_model("ru", train, seed)
        losses_of[seed] = adapt(model, labelled_batches("ru", train, seed), 1, 1e-3, Accelerator(cpu=True))
        adapted[seed] = model.eval()
    seconds_of_adapting = (time.process_time() - begin) / len(SEEDS)
    print(f"{len(losses_of[0])} steps in {seconds_of_adapting:.1f} CPU seconds for each seed")
    for seed, losses in losses_of.items():
        print(f"seed {seed}: mean loss of the first 10 steps {sum(losses[:10]) / 10:.2f}, of the last 10", end=" ")
        print(f"{sum(losses[-10:]) / 10:.2f}")

# %% [markdown]
# ## 8. Sort the messages
#
# The loss says that the model has learned its training messages. It says nothing about the others. You need its
# answers on messages that it has not seen: for each text, the class with the largest logit.
#
# Answers must come in the order of the texts. They must not depend on which texts stand in the same batch, and not on
# chance: switch dropout off.
#
# Your function gets `model` and `collate` as arguments: `model(**collate(states))` gives back a dictionary with
# `"logits"`, one row for each text of the batch.


# %% exercise="inbox.sort"
def predict(model: nn.Module, states: list[torch.Tensor], classes: list[str], size: int, collate) -> list[str]:
    """The class of each text, in the order of `states`; at most `size` texts are given to the model at once."""
    ### BEGIN SOLUTION
    model.eval()
    found: list[str] = []
    with torch.no_grad():
        for first in range(0, len(states), size):
            logits = model(**collate(states[first : first + size]))["logits"]
            found += [classes[place] for place in logits.argmax(dim=-1).tolist()]
    return found
    ### END SOLUTION


# %%
class Chooser(nn.Module):
    """A tiny model for trying out `predict`: its logits are the means of a text's tokens. It has strong dropout."""

    def __init__(self):
        super().__init__()
        self.dropout, self.sizes = nn.Dropout(0.9), []
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, states, mask):
        self.sizes.append(len(states))
        means = (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
        return {"logits": self.weight * self.dropout(means)}


# %% check="inbox.sort"
@check.public("inbox.sort")
def three_texts_in_two_batches(student, rng):
    """Three texts, two at a time, get the classes of their largest logits."""
    states = [torch.tensor([[0.0, 1.0]]), torch.tensor([[3.0, 1.0], [1.0, 1.0]]), torch.tensor([[0.0, 2.0]])]
    got = student.predict(student.Chooser().eval(), list(states), ["a", "b"], 2, student.collate)
    expect(got == ["b", "a", "b"], hint="One answer for each text.", input=states, got=got)


check("inbox.sort")

# %% [markdown]
# Here is the comparison. One more line is needed to be fair: the frozen encoder with a linear head and no
# adapter. It tells how much the adapters add to what the encoder knew before.

# %%
if check.done("inbox.sort") and "adapted" in globals():

    def score_of(model, test):
        """The macro-F1 of a model on the Tajik messages at `test`."""
        said = predict(model, [states["tg"][place] for place in test], CLASSES, 32, collate)
        return mean_f1(rows_of("desk", test), said, CLASSES)

    def frozen_scores(code):
        """The macro-F1 of a linear classifier on the embeddings of the frozen encoder, for each seed."""
        scores = []
        vectors = {one: embeddings(bare, states[one]).numpy() for one in {code, "tg"}}
        for train, test in splits.values():
            centre = vectors[code][train].mean(0)
            head = LogisticRegression(C=20, max_iter=1000).fit(vectors[code][train] - centre, rows_of("desk", train))
            said = head.predict(vectors["tg"][test] - centre).tolist()
            scores.append(mean_f1(rows_of("desk", test), said, CLASSES))
        return scores

    macro_f1 = {
        "majority": by_majority,
        "tf-idf": by_counting["ru"],
        "adapted": [score_of(adapted[seed], test) for seed, (_, test) in splits.items()],
    }
    print("Tajik messages, 200 labels in Russian: macro-F1")
    print("                   seed 0  seed 1  seed 2    mean  spread")
    for name, scores in [*macro_f1.items(), ("frozen encoder", frozen_scores("ru"))]:
        row = "".join(f"{score:8.3f}" for score in scores)
        print(f"{name:16} {row}{sum(scores) / 3:8.3f}{max(scores) - min(scores):8.3f}")

# %% [markdown]
# Read the table from the top. Majority is hopeless, as it must be: it is right about one desk of five.
#
# With Russian labels, the adapted encoder beats TF-IDF in every seed, by 0.14 on average. The rest of the answer is
# less flattering. Most of the gain comes from the frozen encoder. The adapters add less than 0.02 to it, and the
# three seeds lie further apart than that. From three seeds you cannot say that the adapters were worth it.
#
# And 0.47 is not a good result. Do not trust such a program with anybody's letters. A small model that has read little
# Tajik cannot do more with 200 foreign labels.
#
# The other situation is missing: what if the two hundred labels are Tajik? The next cell trains for it as well. It
# takes about half a minute. Each circle is a seed, each line the mean of three.

# %% aside=true
if check.done("inbox.sort") and "adapted" in globals():
    in_tajik = {
        "majority": by_majority,
        "tf-idf": by_counting["tg"],
        "frozen encoder": frozen_scores("tg"),
        "adapted": [],
    }
    for seed, (train, test) in splits.items():
        model = new_model("tg", train, seed)
        adapt(model, labelled_batches("tg", train, seed), 1, 1e-3, Accelerator(cpu=True))
        in_tajik["adapted"].append(score_of(model, test))
    in_russian = {**macro_f1, "frozen encoder": frozen_scores("ru")}

    figure, axes = plt.subplots(1, 2, figsize=(7, 2.6), sharey=True, layout="constrained")
    titles = ["200 labels in Russian", "200 labels in Tajik"]
    for axis, title, scores in zip(axes, titles, [in_russian, in_tajik], strict=True):
        for place, name in enumerate(in_tajik):
            axis.plot(scores[name], [place] * 3, "ko", fillstyle="none")
            axis.plot([sum(scores[name]) / 3] * 2, [place - 0.3, place + 0.3], "k-", linewidth=2)
        axis.set(xlim=(0, 1), xlabel="macro-F1 on Tajik messages", title=title)
        axis.grid(axis="x", color="0.9")
    axes[0].set_yticks(range(len(in_tajik)), in_tajik)
    axes[0].invert_yaxis()
    plt.show()
    for name, scores in in_tajik.items():
        print(f"200 labels in Tajik: {name:16}", "".join(f"{score:8.3f}" for score in scores))

# %% [markdown]
# With Tajik labels the order is turned around. Counting pieces of words reaches 0.79. The frozen encoder reaches
# 0.65, the adapted one 0.62. Here the adapters made it worse.
#
# This is the answer to the question of this unit. If you have two hundred labelled Tajik messages, count words. If
# your labels are in another language, a multilingual encoder helps, and the adapters hardly matter. If you can
# choose, do not spend your money on computers: pay somebody to label two hundred Tajik messages. That lifts the
# result from 0.47 to 0.79, more than anything that we tried with the model.
#
# This is not so for every task and every model. A large model that has read much Tajik may win. You know how to find
# out.
#
# ## 9. What did the model forget?
#
# A model that is trained for one task may get worse at others. This is called **forgetting**. E5 was made to find
# texts that mean the same. So the test is: take a Tajik message and look for its Russian original among all Russian
# messages of the test set. The share of messages for which the nearest vector is the right one is called top-1.
#
# With LoRA you can measure forgetting on one and the same model. The original weights are still there. In `peft`, the
# context manager `model.disable_adapter()` switches the adapter off for a moment:
#
# ```
# with model.disable_adapter():
#     ...
# ```
#
# Measure in evaluation mode. Be sure that the adapter is on again afterwards, even if the measurement fails with an
# exception.


# %% exercise="forgetting.measure"
def forgetting(model, measure) -> dict[str, float]:
    """How much worse a `peft` model has become at something that it was not trained for.

    `measure(model)` gives a number, larger is better. The result has the keys "before" (with the adapter switched off),
    "after" (with the adapter), and "forgotten", which is positive if the model has become worse.
    Afterwards the adapter is on and the model in evaluation mode.
    """
    ### BEGIN SOLUTION
    model.eval()
    after = measure(model)
    with model.disable_adapter():
        before = measure(model)
    return {"before": before, "after": after, "forgotten": before - after}
    ### END SOLUTION


# %%
class Doubter(nn.Module):
    """One linear layer behind dropout, for trying out `forgetting`."""

    def __init__(self, weight):
        super().__init__()
        self.dropout, self.linear = nn.Dropout(0.5), plain_layer(weight)

    def forward(self, x):
        return self.linear(self.dropout(x))


def doubter_with_adapter(weight, change):
    """A `Doubter` with a `peft` adapter of rank 1 that changes its weights by the matrix `change` of rank 1."""
    config = LoraConfig(r=1, lora_alpha=1, target_modules=["linear"])
    model = get_peft_model(Doubter(weight), config)
    row = change.abs().sum(1).argmax()
    with torch.no_grad():
        model.base_model.model.linear.lora_A["default"].weight.copy_(change[row : row + 1])
        scale = change[row].square().sum()
        model.base_model.model.linear.lora_B["default"].weight.copy_(change @ change[row : row + 1].T / scale)
    return model


# %% check="forgetting.measure"
@check.public("forgetting.measure")
def an_adapter_that_takes_three_away(student, rng):
    """If the adapter lowers a measurement from 5 to 2, then 3 is forgotten."""
    model = student.doubter_with_adapter(torch.tensor([[5.0]]), torch.tensor([[-3.0]])).eval()
    got = student.forgetting(model, lambda model: model(torch.ones(1, 1)).item())
    expect(hasattr(got, "keys"), hint="Give back a dictionary.", got=got)
    right = {"before": 5.0, "after": 2.0, "forgotten": 3.0}
    near = all(abs(got.get(name, 99) - value) < 1e-4 for name, value in right.items())
    expect(near, hint="When is the adapter on, and when is it off?", input="5 without, 2 with the adapter", got=got)


check("forgetting.measure")

# %%
if check.done("forgetting.measure") and "adapted" in globals():

    def top_1(model):
        """How often the nearest Russian message is the original of a Tajik one, on the test set of seed 0."""
        vectors = {code: embeddings(model, [states[code][place] for place in splits[0][1]]) for code in ("tg", "ru")}
        nearest = (vectors["tg"] @ vectors["ru"].T).argmax(1)
        return (nearest == torch.arange(len(nearest))).double().mean().item()

    for seed in SEEDS:
        found = forgetting(adapted[seed], top_1)
        print(f"seed {seed}: top-1 before {found['before']:.3f}, after {found['after']:.3f}", end=", ")
        print(f"forgotten {found['forgotten']:+.3f}")
    some = states["tg"][:64]
    with adapted[0].disable_adapter():
        switched_off = embeddings(adapted[0], some)
    print("adapter off, same embeddings as the untouched encoder:", torch.equal(switched_off, embeddings(bare, some)))
    print("adapter on, same embeddings:", torch.equal(embeddings(adapted[0], some), embeddings(bare, some)))

# %% [markdown]
# The model has paid a little: top-1 fell in two of the three seeds. The last two lines are the strength of LoRA. The
# original model is still there, bit by bit. Switch the adapter off, and nothing is forgotten.
#
# Look also at how low the number was at the start. E5 finds the Russian original for only one of three Tajik messages.
# Tajik is not in the list of languages of the encoder that E5 began from. It reads Tajik through related languages and
# shared words. This explains much of the table above.
#
# ## 10. The same with `Trainer`
#
# `Trainer` is the training loop of the library `transformers`. You give it a model, a data set and
# `TrainingArguments`. It can save checkpoints, go on after a power cut, and write down the loss. Under its surface it
# uses `accelerate`, as you did. The next cell trains seed 0 once more, with the same settings.

# %% aside=true
if check.done("inbox.sort") and "adapted" in globals():
    train, test = splits[0]
    examples = [
        {"states": states["ru"][place], "desk": desk} for place, desk in zip(train, rows_of("desk", train), strict=True)
    ]
    arguments = TrainingArguments(
        output_dir="by_trainer",
        num_train_epochs=4,
        per_device_train_batch_size=16,
        learning_rate=1e-3,
        lr_scheduler_type="constant",
        weight_decay=0.01,
        use_cpu=True,
        seed=0,
        save_strategy="no",
        report_to=[],
        remove_unused_columns=False,
        disable_tqdm=True,
        logging_strategy="no",
    )
    trainer = Trainer(
        model=new_model("ru", train, 0),
        args=arguments,
        train_dataset=examples,
        data_collator=lambda some: collate([one["states"] for one in some], [one["desk"] for one in some]),
    )
    trainer.remove_callback(PrinterCallback)
    result = trainer.train()
    print(f"Trainer: {result.global_step} steps, macro-F1 {score_of(trainer.model, test):.3f}")
    print(f"by hand: {len(losses_of[0])} steps, macro-F1 {macro_f1['adapted'][0]:.3f}")
    merged = copy.deepcopy(adapted[0]).merge_and_unload()
    print("merged, without peft:      macro-F1", f"{score_of(merged, test):.3f}")

# %% [markdown]
# The order of the batches is another one, and so is the result, by about as much as between two seeds. Nothing is
# lost when you write the loop by hand, and nothing is won. `Trainer` is worth its weight as soon as a run takes
# hours.
#
# The last line is the merged model. It has no adapter any more and gives the same answers.
#
# ## 11. A language model learns some Tajik
#
# LoRA works for language models too. SmolLM2 (unit 7, `u07_pretrained_lm`) has read almost only English. The next
# cell trains adapters in its last ten layers on 48 Tajik messages, in 24 steps. **Bits per byte** say how surprised a
# model is by a text: its surprise in bits, divided by the number of bytes. Small is good.

# %% aside=true


def bits_per_byte(model, texts):
    """The surprise of a language model by several texts, in bits for each byte that it had to guess."""
    bits = size = 0
    for text in texts:
        ids = torch.tensor([smollm2_tokenizer.encode(text)[:96]])
        with torch.no_grad():
            loss = model(input_ids=ids, labels=ids).loss.item()
        bits += loss * (ids.shape[1] - 1) / math.log(2)
        size += len(smollm2_tokenizer.decode(ids[0, 1:]).encode())
    return bits / size


if check.done("adapt.train") and check.done("forgetting.measure"):
    encoder = tokenizer = trainer = None  # makes room in memory; Section 6 brings the encoder back
    smollm2_name = "HuggingFaceTB/SmolLM2-135M-Instruct"
    smollm2_tokenizer = AutoTokenizer.from_pretrained(smollm2_name)
    smollm2 = AutoModelForCausalLM.from_pretrained(smollm2_name, dtype="auto").float()
    torch.manual_seed(0)
    upper = LoraConfig(r=8, lora_alpha=16, target_modules=["q_proj", "v_proj"], layers_to_transform=list(range(20, 30)))
    smollm2 = get_peft_model(smollm2, upper)
    print(f"{sum(p.numel() for p in smollm2.parameters() if p.requires_grad):,} numbers trained")

    order = random.Random(1).sample(range(len(pool)), 60)
    tajik = rows_of("tg", order)
    batches = []
    for first in range(0, 48, 2):
        ids = [smollm2_tokenizer.encode(text)[:40] for text in tajik[first : first + 2]]
        width = max(map(len, ids))
        batches.append(
            {
                "input_ids": torch.tensor([one + [0] * (width - len(one)) for one in ids]),
                "attention_mask": torch.tensor([[1] * len(one) + [0] * (width - len(one)) for one in ids]),
                "labels": torch.tensor([one + [-100] * (width - len(one)) for one in ids]),
            }
        )
    begin = time.process_time()
    adapt(smollm2, batches, 1, 2e-3, Accelerator(cpu=True))
    seconds_of_smollm2 = time.process_time() - begin

    declaration = load_dataset("ustod/udhr", split="train")
    english = [row["text"] for row in declaration if row["lang"] == "en"][10:16]
    print(f"{len(batches)} steps in {seconds_of_smollm2:.0f} CPU seconds")
    for name, texts in [("new Tajik messages", tajik[48:]), ("English prose", english)]:
        found = forgetting(smollm2, lambda model, texts=texts: -bits_per_byte(model, texts))
        print(f"{name:18}: {-found['before']:.2f} bits per byte before, {-found['after']:.2f} after")

# %% [markdown]
# In a few seconds the model has become better at Tajik messages, and hardly worse at English. It has not learned to
# speak Tajik. Much of the gain is knowing which letters and which words of menus to expect. With the adapter off, it is
# the English model again.
#
# Why LoRA here? A step that trains all 135 million numbers needs more than 3 GB of memory. This run stayed below 2 GB.
#
# ## What did it cost?
#
# Your computer has counted the seconds. Electricity is a power in watts, times the time. The power below is an
# assumption: about what one busy core of a laptop needs. Measure yours with a plug meter if you can.

# %%
WATTS = 15  # an assumption, not a measurement

if "adapted" in globals():
    per_text = seconds_of_encoding / (2 * len(pool))
    begin = time.process_time()
    counter.predict((columns["tg"] * 21)[:10_000])
    costs = {
        "TF-IDF: train": seconds_of_counting,
        "TF-IDF: sort ten thousand messages": time.process_time() - begin,
        "adapter: encode 200 texts and train": 200 * per_text + seconds_of_adapting,
        "adapter: sort ten thousand messages": 10_000 * per_text,
    }
    print("                                       CPU seconds   watt-hours")
    for name, seconds in costs.items():
        print(f"{name:38} {seconds:11.2f} {seconds * WATTS / 3600:12.4f}")

# %% [markdown]
# Sorting ten thousand messages takes about two minutes with the encoder and about a second by counting. Even the
# encoder needs less electricity than a lamp of 10 watts in five minutes. For a task of this size, electricity is not
# the argument. The arguments are the quality of the answers, the labels, and the work of the person who keeps the
# program running. This changes with the size: a model that is a thousand times larger needs about a thousand times
# the energy for each message.
#
# ## Where this goes wrong
#
# **No baseline.** A report says: "We fine-tuned a model and reached 0.62." Without the line of TF-IDF this sounds
# like a success.
#
# **A weak baseline.** Whoever wants to win compares with a baseline that was not tried seriously. With whole words
# instead of pieces of words, TF-IDF reaches only about 0.2 from Russian labels, and the adapted encoder looks twice as
# good. Give the baseline the same care as your own method.
#
# **One seed.** Seed 0 alone gives the adapted encoder 0.50, seed 1 alone 0.42. Both are true. Whoever runs ten seeds
# and reports the best one has reported luck.
#
# **A leak.** The next cell divides the same messages without regard to groups. It does so with all messages of this
# notebook that are not kept by the grader, because they hold more messages from one mould.

# %% aside=true
if check.done("split.grouped") and check.done("score.macro"):
    desks, groups = [row["desk"] for row in here], [row["group"] for row in here]
    for name, cast in [("groups kept together", groups), ("each message for itself", list(range(len(here))))]:
        scores = []
        for seed in range(5):
            train, test = few_shot_split(desks, cast, 90, seed)
            counter = counting_words().fit([here[i]["tg"] for i in train], [desks[i] for i in train])
            scores.append(
                mean_f1([desks[i] for i in test], counter.predict([here[i]["tg"] for i in test]).tolist(), CLASSES)
            )
        print(f"{name:24} macro-F1 of TF-IDF {sum(scores) / 5:.3f}")

# %% [markdown]
# Without groups the number is higher by two or three hundredths, and no better method stands behind it. Here few
# messages come from one mould, so the leak is small. Where the same person writes ten letters, or the same form is
# filled in every day, it is large.
#
# **Tuning on the test set.** The learning rate and the number of epochs of this notebook were chosen with a look at
# these messages. That is a weak form of leakage too. On the messages that the grader keeps, the same adapted encoders
# reach about 0.40, and TF-IDF about 0.30.
#
# **Labels that nobody would give.** The label here is the file that a message stands in. "Try again" belongs to all
# five desks. No method can reach 1.0 on such labels. Before you blame the model, let two people label fifty messages,
# and see how often they agree.
#
# **An adapter without its base.** A file with an adapter is small, and useless without exactly the model that it was
# trained on. Write down the name and the revision of the base, as in unit 11 (`u11_model_security`).
#
# ## What would you do with your own data?
#
# Think of messages that somebody in your town sorts by hand: letters to a city office, questions to a clinic,
# complaints about water.
#
# 1. Who may read them, and who must agree before you use them? Remove names before anything else.
# 2. Label fifty yourself, and let a colleague label the same fifty. How often do you agree?
# 3. What are the groups? The same sender, the same form, the same day? Divide by them.
# 4. Measure majority and TF-IDF first. Write down the number at which you would be content.
# 5. Only then try an encoder: frozen first, then with adapters, with at least three seeds.
# 6. Which mistake is the most expensive one? Which desk would suffer if its messages were never found?
#
# Write down all numbers, also those of the methods that lost. They save the next person the work.
