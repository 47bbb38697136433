# %% [markdown]
# # The transformer: who looks at whom
#
# **When a language model reads a Tajik sentence, what does each piece of the sentence look at?**
#
# In unit 4 (`u04_tokenization`, "Tokenization: what a language costs") you saw that SmolLM2 cuts a Tajik text into
# about five times as many tokens as an English one. That costs money. Does it also change *how* the model reads?
#
# To find out, you build the model. A **transformer** is a neural network in which every token looks at other tokens
# and takes something over from them. The looking is called **attention**. You write attention, then one whole layer,
# then the loop over all layers. At the end you give your code the weights of the real SmolLM2, and it computes the
# same numbers as the real one.
#
# Then you open your own code and watch it read the same sentence in two languages.

# %% locked=true
from autograder.student import expect, open_unit

check = open_unit("u05_transformer")

# %%
import datasets
import matplotlib.pyplot as plt
import torch
import transformers
from datasets import load_dataset
from transformers import AutoModelForCausalLM, AutoTokenizer

datasets.logging.set_verbosity_error()
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)  # the matrices are small: a second thread would mostly wait
torch.set_grad_enabled(False)  # nothing is trained in this unit
torch.set_printoptions(precision=2, sci_mode=False, linewidth=85)

smollm2 = AutoTokenizer.from_pretrained("HuggingFaceTB/SmolLM2-135M-Instruct")

SENTENCES = {"English": "Water is the source of life.", "Tajik": "Об манбаи ҳаёт аст."}


def pieces(text):
    """The tokens of `text` as the letters that they stand for; half a letter is shown as ½."""
    return [smollm2.decode([token]).replace("\ufffd", "½") for token in smollm2.encode(text)]


for language, sentence in SENTENCES.items():
    print(f"{language}: {len(pieces(sentence))} tokens")
    print("   " + "|".join(pieces(sentence)))

# %% [markdown]
# Both sentences say the same. In English a token is a word. In Tajik a token is a letter or two, and sometimes only
# half a letter.
#
# **Shapes.** Texts are computed together in groups. Such a group is a **batch**. Each token of each text is a
# **vector**: a row of `size` numbers. So a batch is a tensor with three axes, `[batch, tokens, size]`. Write the shapes
# on paper beside your code. Most mistakes in this unit are mistakes of shape.
#
# ## 1. Look and mix
#
# Attention gives each token three vectors.
#
# - The **query** says what the token is looking for.
# - The **key** says by what the token can be found.
# - The **value** is what the token hands over when it is found.
#
# How well does a query fit a key? Multiply them number by number and add up. This is their **dot product**. It is
# large if both vectors point the same way. With longer vectors dot products grow, because more numbers are added. So
# they are divided by the square root of the length of the vectors. The result is a **score**.
#
# The scores of one query are turned into shares that are positive and add up to 1. The function for this is
# **softmax**. It takes $e$ to the power of each score and divides by the sum. Here is the whole calculation for one
# query $q$ of length $d$ with keys $k_1 \dots k_n$ and values $v_1 \dots v_n$:
#
# $$s_j = \frac{q \cdot k_j}{\sqrt{d}} \qquad w_j = \frac{e^{s_j}}{e^{s_1} + \dots + e^{s_n}} \qquad
# \text{output} = w_1 v_1 + \dots + w_n v_n$$
#
# The shares $w_j$ are called **attention weights**. They say how much the query looks at each key. Do not mix them up
# with the weights of the model, which are learned and then fixed. Attention weights are new for each text.
#
# A large score is a danger: $e$ to the power of 1000 is more than the computer can hold. The method `softmax` of a
# tensor knows how to avoid this.
#
# Write attention for all queries at once. The number of queries and the number of keys may differ. There may be more
# axes in front, such as the batch; matrix multiplication with `@` works on the last two axes and leaves the others
# alone.


# %% exercise="attention.mix"
def attend(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Scaled dot-product attention.

    `queries` has the shape [..., q, size], `keys` [..., k, size] and `values` [..., k, width].
    The result is a pair: the mixed values, [..., q, width], and the attention weights, [..., q, k].
    It must stay right where scores are as large as 1000.
    """
    ### BEGIN SOLUTION
    scores = queries @ keys.transpose(-1, -2) / queries.shape[-1] ** 0.5
    weights = scores.softmax(dim=-1)
    return weights @ values, weights
    ### END SOLUTION


# %% check="attention.mix"
@check.public("attention.mix")
def a_query_of_zeros_takes_the_mean(student, rng):
    """A query of zeros fits all keys alike, so it gets the mean of the values."""
    values = torch.tensor([[2.0, 0.0, 1.0], [4.0, 8.0, 1.0]])
    got = student.attend(torch.zeros(1, 2), torch.eye(2), values)
    expect(isinstance(got, (tuple, list)) and len(got) == 2, hint="Give back two things.", got=got)
    right = torch.allclose(got[0], torch.tensor([[3.0, 4.0, 1.0]]))
    expect(right, hint="What are the two weights, and what is the mean of the two rows?", input=values, got=got[0])


@check.public("attention.mix")
def one_query_by_hand(student, rng):
    """A query (2, 0) has the scores 1.41 and 0 with the keys (1, 0) and (0, 1), and so the weights 0.80 and 0.20."""
    _, weights = student.attend(torch.tensor([[2.0, 0.0]]), torch.eye(2), torch.eye(2))
    right = torch.allclose(weights, torch.tensor([[0.8044, 0.1956]]), atol=1e-3)
    expect(right, hint="By what is the dot product 2 divided?", input="query (2, 0)", got=weights)


check("attention.mix")

# %% [markdown]
# Try it on four pieces of a Tajik sentence. The ending `ро` marks the object of a sentence, so `модар духтарро дид`
# means "the mother saw the daughter". Here each piece gets a random vector, because we want to see the mechanism only.

# %%
sentence = ["модар", "духтар", "ро", "дид"]
vector_of = dict(zip(sentence, torch.randn(4, 16, generator=torch.Generator().manual_seed(5)), strict=True))

if check.done("attention.mix"):
    x = torch.stack([vector_of[piece] for piece in sentence])
    print("Each row: how much one piece looks at", *sentence)
    print(attend(x, x, x)[1])

# %% [markdown]
# ## 2. Who may look at whom?
#
# A language model predicts the next token. When it is trained, it must not see that token, or it would copy it. So a
# token may look at itself and at the tokens before it, and at nothing behind it. This rule is called **causal**: what
# comes later has no influence on what came earlier.
#
# There is a second rule. The texts of a batch have different lengths, and a tensor is a rectangle. Short texts are
# filled up with padding tokens (unit 4). Nobody may look at padding, wherever it stands: some programs pad on the
# right, others on the left.
#
# A **mask** is a table of yes and no. Row $i$, column $j$ says whether token $i$ may look at token $j$. In this unit
# `True` always means "may look". Libraries do not agree about this: in `torch.nn.MultiheadAttention`, `True` means
# the opposite.
#
# Build the mask of a batch. `real` tells for each token whether it is real (`True`) or padding (`False`).


# %% exercise="mask.make"
def may_look(real: torch.Tensor) -> torch.Tensor:
    """Which token may look at which: real tokens that do not come later.

    `real` is a tensor of truth values, [batch, tokens]. The result is one too, [batch, tokens, tokens].
    Row i, column j of a text is True if token j is real and does not stand behind token i.
    """
    ### BEGIN SOLUTION
    tokens = real.shape[1]
    not_later = torch.ones(tokens, tokens, dtype=torch.bool).tril()
    return not_later & real[:, None, :]
    ### END SOLUTION


# %% check="mask.make"
@check.public("mask.make")
def three_tokens(student, rng):
    """Three real tokens give a triangle: the first sees itself, the third sees all."""
    got = student.may_look(torch.tensor([[True, True, True]]))
    expect(isinstance(got, torch.Tensor) and got.dtype == torch.bool, hint="Give back truth values.", got=got)
    triangle = [[[True, False, False], [True, True, False], [True, True, True]]]
    expect(got.tolist() == triangle, hint="Write the table on paper, row by row.", got=got)


check("mask.make")

# %% [markdown]
# ## 3. Attention with a mask
#
# A forbidden key must get the weight 0, and the other weights must still add up to 1. So the mask has to act **before**
# the softmax. The usual way: give forbidden places a score that is so low that $e$ to its power is 0.
#
# One case needs care. Suppose that a text is padded on the left. Its first token is padding, and the only token
# that it could look at is itself, which is padding. It may look at *nothing*. Softmax over nothing is $0/0$, and
# Python writes it as `nan`, "not a number". A `nan` spreads: everything that is computed with it becomes `nan`. In
# this unit a query that may look at nothing gets zeros, as weights and as output.


# %% exercise="attention.masked"
def attend_allowed(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, allowed: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention in which each query looks only at the keys that it may look at.

    Shapes are as in `attend`. `allowed` holds truth values: its last two axes are [q, k], and it broadcasts to the
    shape of the scores. A query without any allowed key has zeros as weights and as mixed values.
    The result is a pair as in `attend`.
    """
    ### BEGIN SOLUTION
    scores = queries @ keys.transpose(-1, -2) / queries.shape[-1] ** 0.5
    lowest = torch.finfo(scores.dtype).min
    weights = scores.masked_fill(~allowed, lowest).softmax(dim=-1) * allowed
    return weights @ values, weights
    ### END SOLUTION


# %% check="attention.masked"
@check.public("attention.masked")
def the_only_allowed_key(student, rng):
    """A query that may look at one key only gets the value of this key."""
    queries, keys, values = torch.ones(1, 2), torch.eye(2), torch.tensor([[5.0, 6.0], [7.0, 8.0]])
    got, weights = student.attend_allowed(queries, keys, values, torch.tensor([[False, True]]))
    expect(weights.tolist() == [[0, 1]], hint="All of the attention goes to the second key.", got=weights)
    expect(got.tolist() == [[7, 8]], hint="Which value belongs to the second key?", got=got)


check("attention.masked")

# %% [markdown]
# ## 4. Where order comes from
#
# Something is still missing. The next cell puts the four pieces into another order. `модар духтарро дид` becomes
# `духтар модарро дид`, "the daughter saw the mother". It compares what the last piece, `дид`, gets in both.

# %%
if check.done("attention.mix"):
    outputs = []
    for order in (["модар", "духтар", "ро", "дид"], ["духтар", "модар", "ро", "дид"]):
        x = torch.stack([vector_of[piece] for piece in order])
        outputs.append(attend(x, x, x)[0][-1])
        print(" ".join(order), outputs[-1][:5])
    print(f"largest difference: {(outputs[0] - outputs[1]).abs().max():.6f}")

# %% [markdown]
# `дид` gets the same in both. A sum does not depend on the order of its parts, and attention is a sum. To attention, a
# sentence is a bag of pieces. It cannot tell who saw whom. So the position of each token must get into the vectors.
#
# SmolLM2, Llama, Qwen and Mistral do it with a **rotary position embedding**, in short RoPE (Su and others, 2021).
# Queries and keys are *turned*, and each position has its own angle.
#
# Cut a vector of length $d$ into two halves. Number $i$ of the first half and number $i$ of the second half are a
# pair $(a, b)$: a point in a plane. At position $p$ turn it by the angle $\varphi$:
#
# $$\varphi = p \cdot \theta^{-i/(d/2)} \qquad a' = a\cos\varphi - b\sin\varphi
# \qquad b' = b\cos\varphi + a\sin\varphi$$
#
# Here $i$ counts from 0. The first pair turns fast, by one radian per position. The last pairs turn slowly. The number
# $\theta$ belongs to the model; SmolLM2 has 100,000.
#
# Two things follow. A vector that is turned keeps its length. And if the query is turned by 7 steps and the key by 5,
# their dot product is the same as with 107 and 105: only the difference matters. The difference of two positions is
# their **relative offset**. So a model can learn "look at the token before me", wherever in the text that is.


# %% exercise="rope.rotate"
def rotate(x: torch.Tensor, positions: torch.Tensor, theta: float) -> torch.Tensor:
    """Turn each vector of `x` by the angles that belong to its position.

    `x` has the shape [..., tokens, size], where size is even; `positions` holds a whole number for each token.
    Number i of the first half of a vector is turned together with number i of the second half.
    The result has the shape of `x`.
    """
    ### BEGIN SOLUTION
    half = x.shape[-1] // 2
    speeds = theta ** -(torch.arange(half) / half)
    angles = positions[:, None] * speeds
    cos, sin = angles.cos(), angles.sin()
    first, second = x[..., :half], x[..., half:]
    return torch.cat([first * cos - second * sin, second * cos + first * sin], dim=-1)
    ### END SOLUTION


# %% check="rope.rotate"
@check.public("rope.rotate")
def a_turn_by_three_radians(student, rng):
    """A vector of length 2 is one pair; at position 3 it is turned by 3 radians."""
    got = student.rotate(torch.tensor([[1.0, 0.0]]), torch.tensor([3]), 100.0)
    right = torch.allclose(got, torch.tensor([[-0.98999, 0.14112]]), atol=1e-3)
    expect(right, hint="The first number becomes the cosine of 3, the second its sine.", input=(1, 0), got=got)


check("rope.rotate")

# %% [markdown]
# Does order matter now? The next cell does the same comparison, with turned queries and keys. The values are not
# turned: what a token hands over does not depend on where it stands.
#
# The figure shows the scores of a token that is 40 tokens into a text, if all tokens had the same vector of ones. Only
# the angles differ.

# %%
if check.done("attention.mix") and check.done("rope.rotate"):
    outputs = []
    for order in (["модар", "духтар", "ро", "дид"], ["духтар", "модар", "ро", "дид"]):
        x = torch.stack([vector_of[piece] for piece in order])
        turned = rotate(x, torch.arange(4), 100.0)
        outputs.append(attend(turned, turned, x)[0][-1])
    print(f"largest difference: {(outputs[0] - outputs[1]).abs().max():.6f}")

    figure, axis = plt.subplots(figsize=(7, 2.6), layout="constrained")
    for theta, style in [(100.0, "k--"), (100_000.0, "k-")]:
        turned = rotate(torch.ones(41, 64), torch.arange(41), theta)
        axis.plot(range(41), turned[40] @ turned.T / 8, style, label=f"theta = {theta:,.0f}")
    axis.set(xlabel="position of the key (the query stands at 40)", ylabel="score")
    axis.legend()
    plt.show()

# %% [markdown]
# The score is highest where the offset is 0. It falls, with small waves, as the other token gets farther away. With a
# large $\theta$ it falls less, so the model can look farther back.
#
# ## 5. Several heads
#
# A token has to look for several things at once: the word before it, the verb of the sentence, an open bracket. One
# set of attention weights is not enough. So the vectors are cut into parts, and each part has its own attention. Such
# a part is called a **head**. This is **multi-head attention**.
#
# A vector of 576 numbers with 9 heads gives 9 parts of 64 numbers. The first 64 numbers are for head 0, the next 64 for
# head 1, and so on. The axis of the heads must stand before the axis of the tokens, because `@` works on the last two.
# So `[batch, tokens, 576]` becomes `[batch, 9, tokens, 64]`.
#
# Be careful: `view` and `reshape` only count through the numbers in their order. To exchange two axes, you need
# `transpose`.


# %% exercise="heads.split"
def split_heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    """Cut each vector into `heads` equal parts: [batch, tokens, heads * size] to [batch, heads, tokens, size]."""
    ### BEGIN SOLUTION
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)
    ### END SOLUTION


def join_heads(x: torch.Tensor) -> torch.Tensor:
    """Put the parts of each vector together again: [batch, heads, tokens, size] to [batch, tokens, heads * size]."""
    ### BEGIN SOLUTION
    return x.transpose(1, 2).flatten(2)
    ### END SOLUTION


# %% check="heads.split"
@check.public("heads.split")
def two_tokens_two_heads(student, rng):
    """Tokens (1, 2) and (3, 4) with two heads: head 0 gets 1 and 3, head 1 gets 2 and 4."""
    got = student.split_heads(torch.tensor([[[1, 2], [3, 4]]]), 2)
    expect(got.tolist() == [[[[1], [3]], [[2], [4]]]], hint="Which numbers belong to the first token?", got=got)


@check.public("heads.split")
def two_parts_of_one_token(student, rng):
    """One token with the parts (1, 2) and (3, 4) becomes the vector (1, 2, 3, 4)."""
    got = student.join_heads(torch.tensor([[[[1, 2]], [[3, 4]]]]))
    expect(got.tolist() == [[[1, 2, 3, 4]]], hint="Head 0 comes first.", got=got)


check("heads.split")

# %% [markdown]
# ## 6. The attention layer
#
# Where do queries, keys and values come from? From the vectors of the tokens, by three learned matrices. A fourth
# matrix mixes the results of the heads. In `transformers` they are called `q_proj.weight`, `k_proj.weight`,
# `v_proj.weight` and `o_proj.weight`. Each is stored as `[out, in]`, so a vector is multiplied with the **transposed**
# matrix: `x @ weight.T`.
#
# SmolLM2 saves memory with a trick, **grouped-query attention**. It has 9 heads of queries but only 3 heads of keys and
# 3 of values. Heads 0, 1 and 2 of the queries share head 0 of the keys and values; heads 3, 4 and 5 share head 1; and
# so on. Before attention, each head of keys and of values is repeated, so that there is one for each head of queries.
# How many heads of keys there are, you can tell from the shape of `k_proj.weight`: all heads have the same size.
#
# One attention layer does six things:
#
# 1. multiply the vectors with the three matrices;
# 2. split queries, keys and values into heads;
# 3. turn queries and keys, not the values;
# 4. repeat keys and values, if they have fewer heads;
# 5. attend, with the mask. The mask of a text is the same for all heads. The mask has the shape
#    `[batch, tokens, tokens]` and the scores `[batch, heads, tokens, tokens]`: give the mask an axis for the heads;
# 6. join the heads and multiply with the fourth matrix.
#
# The functions that you need come as arguments. In this notebook they are your own. The grader passes its own
# functions, so that an earlier mistake does not cost you points here.


# %% exercise="attention.layer"
def self_attention(
    x: torch.Tensor, weights: dict[str, torch.Tensor], allowed: torch.Tensor, heads: int, turn, attend, split, join
) -> torch.Tensor:
    """One attention layer: [batch, tokens, size] to [batch, tokens, size].

    `weights` holds "q_proj.weight", "k_proj.weight", "v_proj.weight" and "o_proj.weight", each of them [out, in].
    `allowed` is the mask, [batch, tokens, tokens]; `heads` is the number of heads of queries.
    `turn(x)` turns vectors by their positions; it takes [batch, heads, tokens, size].
    `attend(queries, keys, values, allowed)` is `attend_allowed`; `split(x, heads)` is `split_heads`;
    `join(x)` is `join_heads`.
    """
    ### BEGIN SOLUTION
    size = weights["q_proj.weight"].shape[0] // heads
    key_heads = weights["k_proj.weight"].shape[0] // size
    queries = turn(split(x @ weights["q_proj.weight"].T, heads))
    keys = turn(split(x @ weights["k_proj.weight"].T, key_heads))
    values = split(x @ weights["v_proj.weight"].T, key_heads)
    group = heads // key_heads
    keys, values = keys.repeat_interleave(group, dim=1), values.repeat_interleave(group, dim=1)
    mixed, _ = attend(queries, keys, values, allowed[:, None])
    return join(mixed) @ weights["o_proj.weight"].T
    ### END SOLUTION


# %% check="attention.layer"
@check.public("attention.layer")
def one_token_gets_its_own_value(student, rng):
    """A text of one token can look at itself only: the layer gives its value, times the fourth matrix."""
    weights = {f"{name}_proj.weight": torch.randn(4, 4) for name in "qkvo"}
    x = torch.randn(1, 1, 4)
    allowed = torch.ones(1, 1, 1, dtype=torch.bool)
    parts = (lambda x: x), student.attend_allowed, student.split_heads, student.join_heads
    got = student.self_attention(x, weights, allowed, 2, *parts)
    expect(isinstance(got, torch.Tensor) and got.shape == (1, 1, 4), hint="Write down the shapes.", got=got)
    right = torch.allclose(got, x @ weights["v_proj.weight"].T @ weights["o_proj.weight"].T, atol=1e-4)
    expect(right, hint="With a single token, which attention weights are possible?", input=x, got=got)


check("attention.layer")

# %% [markdown]
# ## 7. The block
#
# A transformer is a stack of equal layers, called **blocks**. A block has two halves. In the first half tokens look at
# each other: attention. In the second half each token works on its own vector alone: a **feed-forward network**.
#
# Neither half replaces the vector. Its result is **added** to it. This is called a **residual connection**. What a
# token knows stays there, and each half only writes something on top of it.
#
# Before each half the vector is brought to a standard length, or else it would grow from block to block. SmolLM2 uses
# **RMSNorm**: divide the vector by the square root of the mean of its squares, then multiply with learned weights:
#
# $$\text{norm}(x) = \frac{x}{\sqrt{\text{mean}(x^2) + \varepsilon}} \cdot \text{weight}$$
#
# Each token is normalised by itself. The small number $\varepsilon$ keeps the division safe if a vector is all zeros.
#
# The feed-forward network of SmolLM2 is called **SwiGLU**. It has three matrices, again stored as `[out, in]`:
#
# $$\text{mlp}(x) = W_\text{down}\,\big(\text{silu}(W_\text{gate}\,x) \cdot (W_\text{up}\,x)\big)$$
#
# `torch.nn.functional.silu` is $z$ times its sigmoid; the dot multiplies number by number.
#
# Together this is a **pre-norm** block, because the norm stands before each half:
#
# $$h = x + \text{attention}(\text{norm}_1(x)) \qquad \text{output} = h + \text{mlp}(\text{norm}_2(h))$$
#
# The helper `part` takes the weights of one part out of a dictionary and shortens their names.


# %%
def part(weights, name):
    """The weights whose names begin with `name` and a dot, without this beginning."""
    return {key.removeprefix(name + "."): value for key, value in weights.items() if key.startswith(name + ".")}


print(part({"mlp.up_proj.weight": 1, "mlp.down_proj.weight": 2, "input_layernorm.weight": 3}, "mlp"))


# %% exercise="block.build"
def rms_norm(x: torch.Tensor, weight: torch.Tensor, eps: float) -> torch.Tensor:
    """RMSNorm of each vector: `x` is [..., size], `weight` is [size], `eps` is the small number."""
    ### BEGIN SOLUTION
    return x / (x.square().mean(dim=-1, keepdim=True) + eps).sqrt() * weight
    ### END SOLUTION


def feed_forward(x: torch.Tensor, weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """SwiGLU with the matrices "gate_proj.weight", "up_proj.weight" and "down_proj.weight", each of them [out, in]."""
    ### BEGIN SOLUTION
    gate = torch.nn.functional.silu(x @ weights["gate_proj.weight"].T)
    return (gate * (x @ weights["up_proj.weight"].T)) @ weights["down_proj.weight"].T
    ### END SOLUTION


def block(x: torch.Tensor, weights: dict[str, torch.Tensor], attention, norm, mlp) -> torch.Tensor:
    """One pre-norm block: [batch, tokens, size] to [batch, tokens, size].

    `weights` holds "input_layernorm.weight" for the first norm, "post_attention_layernorm.weight" for the second one,
    the weights of attention under "self_attn." and those of the feed-forward network under "mlp.".
    `norm(x, weight)`, `attention(x, weights)` and `mlp(x, weights)` are functions; the last two are given their own
    weights, under short names. The tensor `x` itself is not changed.
    """
    ### BEGIN SOLUTION
    x = x + attention(norm(x, weights["input_layernorm.weight"]), part(weights, "self_attn"))
    return x + mlp(norm(x, weights["post_attention_layernorm.weight"]), part(weights, "mlp"))
    ### END SOLUTION


# %% check="block.build"
@check.public("block.build")
def a_vector_of_equal_numbers(student, rng):
    """RMSNorm makes a vector of equal numbers a vector of ones, if its weights are ones."""
    got = student.rms_norm(torch.full((1, 4), 5.0), torch.ones(4), 1e-6)
    right = isinstance(got, torch.Tensor) and torch.allclose(got, torch.ones(1, 4), atol=1e-3)
    expect(right, hint="The mean of the squares is 25.", input=(5, 5, 5, 5), got=got)


@check.public("block.build")
def a_block_that_adds_nothing(student, rng):
    """If both halves give zeros, the vectors come through the block unchanged."""
    x = torch.randn(1, 3, 4)
    weights = {"input_layernorm.weight": torch.ones(4), "post_attention_layernorm.weight": torch.ones(4)}
    nothing = (lambda x, weights: 0 * x), (lambda x, weight: 7 * x), (lambda x, weights: 0 * x)
    got = student.block(x, weights, *nothing)
    right = isinstance(got, torch.Tensor) and torch.allclose(got, x)
    expect(right, hint="To what are the results of the two halves added?", input=x, got=got)


check("block.build")

# %% [markdown]
# Now compare with the real thing. The next cell loads the real SmolLM2 and takes its weights. It computes the first
# block of the model twice: once by the program in `transformers`, once by your functions. Three numbers come from the
# file that describes the model: the number of heads, $\theta$ and $\varepsilon$.

# %%
real_model = AutoModelForCausalLM.from_pretrained("HuggingFaceTB/SmolLM2-135M-Instruct", dtype=torch.float32).eval()
state = real_model.state_dict()  # all weights, by name
HEADS = real_model.config.num_attention_heads
THETA = real_model.config.rope_parameters["rope_theta"]
EPS = real_model.config.rms_norm_eps
print(HEADS, "heads, theta", THETA, "and epsilon", EPS)
for name, weight in part(state, "model.layers.0").items():
    print(f"{name:32}", list(weight.shape))


def norm(x, weight):
    """RMSNorm as in SmolLM2."""
    return rms_norm(x, weight, EPS)


def smollm2_layer(x, weights, positions, allowed, attend=attend_allowed):
    """One block of SmolLM2, from your functions."""

    def turn(vectors):
        return rotate(vectors, positions, THETA)

    def attention(x, weights):
        return self_attention(x, weights, allowed, HEADS, turn, attend, split_heads, join_heads)

    return block(x, weights, attention, norm, feed_forward)


PARTS = ["mask.make", "attention.masked", "rope.rotate", "heads.split", "attention.layer", "block.build"]

if all(check.done(name) for name in PARTS):
    tokens = torch.tensor([smollm2.encode(SENTENCES["Tajik"])])
    states = real_model(tokens, output_hidden_states=True).hidden_states  # before block 0, after block 0, ...
    allowed = may_look(torch.ones_like(tokens, dtype=torch.bool))
    ours = smollm2_layer(states[0], part(state, "model.layers.0"), torch.arange(tokens.shape[1]), allowed)
    print(f"\nnumbers in the output of block 0:    {ours.numel()}")
    print(f"mean size of these numbers:          {states[1].abs().mean():.3f}")
    print(f"largest difference, yours to theirs: {(ours - states[1]).abs().max():.6f}")

# %% [markdown]
# The difference that remains comes from rounding: the same sums are added up in another order.
#
# ## 8. A whole model
#
# What is missing around the blocks is little.
#
# - The **embedding** is a table with one vector for each token of the vocabulary. Row 17 is the vector of token 17. It
#   is `model.embed_tokens.weight`.
# - The blocks come one after another: `model.layers.0`, `model.layers.1` and so on, in the order of their numbers. A
#   model has as many as its weights say.
# - After the last block there is one more norm, with the weight `model.norm.weight`.
# - At last each vector is compared with one vector for each token of the vocabulary, by dot products. The results are
#   called **logits**: the larger a logit, the more likely the model finds that token as the next one. The matrix for
#   this is `lm_head.weight`, `[vocabulary, size]`. Many small models do not have this matrix. They use the embedding a
#   second time. We say that the two are **tied**.
#
# The positions of the tokens are 0, 1, 2 and so on, for each text of the batch, also where a text begins with padding.
# Why is this right? Padding on the left shifts all positions of the text by the same number. What depends on the
# relative offset only does not notice.


# %% exercise="model.run"
def run_model(
    tokens: torch.Tensor, real: torch.Tensor, state: dict[str, torch.Tensor], look, layer, norm
) -> torch.Tensor:
    """The logits for the next token after each token: [batch, tokens] to [batch, tokens, vocabulary].

    `tokens` holds token numbers, `real` says which of them are not padding. `state` holds all weights by name; where
    it lacks "lm_head.weight", the embedding is used instead.
    `look(real)` is `may_look`. `layer(x, weights, positions, allowed)` is one block; `weights` are those of this block,
    under short names such as "mlp.up_proj.weight", and `positions` has the shape [tokens]. `norm(x, weight)` is
    RMSNorm.
    """
    ### BEGIN SOLUTION
    embedding = state["model.embed_tokens.weight"]
    x = embedding[tokens]
    positions, allowed = torch.arange(tokens.shape[1]), look(real)
    number = 0
    while weights := part(state, f"model.layers.{number}"):
        x = layer(x, weights, positions, allowed)
        number += 1
    return norm(x, state["model.norm.weight"]) @ state.get("lm_head.weight", embedding).T
    ### END SOLUTION


# %% check="model.run"
@check.public("model.run")
def a_model_without_blocks(student, rng):
    """Without blocks and with a norm that changes nothing, the logits are dot products of embeddings."""
    state = {"model.embed_tokens.weight": torch.tensor([[1.0, 0.0], [2.0, 3.0]]), "model.norm.weight": torch.ones(2)}
    tokens = torch.tensor([[1, 0]])
    real = torch.ones(1, 2, dtype=torch.bool)
    got = student.run_model(tokens, real, state, lambda real: None, None, lambda x, weight: x)
    right = isinstance(got, torch.Tensor) and got.tolist() == [[[2, 13], [1, 2]]]
    expect(right, hint="Token 1 is the vector (2, 3). What are its dot products with both rows?", input=tokens, got=got)


check("model.run")

# %% [markdown]
# If all your exercises are right, your code is now SmolLM2. The next cell gives both the same texts, compares all the
# logits, and prints the four tokens that your model finds most likely after each text.

# %%
PARTS.append("model.run")
PROMPTS = ["The capital of France is", "Water is the source of", "Об манбаи", "Пойтахти Тоҷикистон шаҳри"]

if all(check.done(name) for name in PARTS):
    for prompt in PROMPTS:
        tokens = torch.tensor([smollm2.encode(prompt)])
        ours = run_model(tokens, torch.ones_like(tokens, dtype=torch.bool), state, may_look, smollm2_layer, norm)
        difference = (ours - real_model(tokens).logits).abs().max()
        best = [smollm2.decode([token]) for token in ours[0, -1].topk(4).indices]
        print(f"{prompt:26} → {best!s:40} difference {difference:.6f}")

# %% [markdown]
# Your code knows that Paris comes next. After `Пойтахти Тоҷикистон шаҳри` ("the capital of Tajikistan is the city of")
# it has no idea of Dushanbe. The arithmetic is the same in both cases. What the model knows is in its weights, and
# almost no Tajik went into these.
#
# ## 9. What does each piece look at?
#
# Now the question of this unit. Your function `self_attention` takes `attend` as an argument. So you can pass one that
# also writes down the attention weights. Here the model has only its first three blocks, which is enough to see how it
# puts words together from pieces.


# %%
def cut_into_tokens(text):
    """Token numbers of `text`, and for each token the number of its word."""
    encoded = smollm2(text, return_offsets_mapping=True)
    return encoded["input_ids"], [text[:end].count(" ") for _, end in encoded["offset_mapping"]]


def looks(tokens, blocks):
    """The attention weights of your code in the first `blocks` blocks: [blocks, heads, tokens, tokens]."""
    recorded = []

    def attend_and_record(queries, keys, values, allowed):
        mixed, weights = attend_allowed(queries, keys, values, allowed)
        recorded.append(weights[0].flatten(0, -3))  # [heads, tokens, tokens]
        return mixed, weights

    def layer(x, weights, positions, allowed):
        return smollm2_layer(x, weights, positions, allowed, attend_and_record)

    used = {f"model.layers.{number}" for number in range(blocks)}
    kept = {name: w for name, w in state.items() if ".layers." not in name or ".".join(name.split(".")[:3]) in used}
    kept["lm_head.weight"] = state["model.norm.weight"][None]  # logits are not wanted here: one is enough
    tokens = torch.tensor([tokens])
    run_model(tokens, torch.ones_like(tokens, dtype=torch.bool), kept, may_look, layer, norm)
    return torch.cat(recorded).unflatten(0, (blocks, HEADS))


BLOCK, HEAD = 2, 1  # counted from 0

if all(check.done(name) for name in PARTS):
    figure, axes = plt.subplots(1, 2, figsize=(7, 3.9), layout="constrained")
    for axis, (language, sentence) in zip(axes, SENTENCES.items(), strict=True):
        tokens, words = cut_into_tokens(sentence)
        axis.imshow(looks(tokens, 3)[BLOCK, HEAD], cmap="Greys", vmin=0, vmax=1)
        for border in [place for place in range(1, len(words)) if words[place] != words[place - 1]]:
            axis.axhline(border - 0.5, color="black", linewidth=0.6)
            axis.axvline(border - 0.5, color="black", linewidth=0.6)
        labels = [piece.replace(" ", "·") for piece in pieces(sentence)]
        axis.set_xticks(range(len(labels)), labels, fontsize=7, rotation=90 if language == "English" else 0)
        axis.set_yticks(range(len(labels)), labels, fontsize=7)
        axis.set(title=language, xlabel="looks at", ylabel="token")
    plt.show()

# %% [markdown]
# Each row is a token, each column a token that it may look at; the darker, the more attention. The thin lines are the
# borders of words, and a dot in a label is a space. Both pictures show the same head, with the same weights.
#
# It is a head that looks **one token back**: the dark squares lie just below the diagonal. In English the token before
# is the *word* before. In Tajik the token before is the *letter* before. The head does the same arithmetic, and
# another job.
#
# One sentence proves little. The next cell takes 20 paragraphs of the Declaration of Human Rights (the data of unit 4)
# that say the same in three languages. For each token it adds up the attention that goes to pieces of its own word, to
# the word before, to words farther back, and to the first token of the text.
#
# But what is the cause: the language, or the cutting? An experiment can tell. The last row of each group is the
# English text again, cut into single letters by force.

# %%
declaration = load_dataset("ustod/udhr", split="train")


def cut_into_letters(text):
    """One token for each letter of an English text, and for each letter the number of its word."""
    return [smollm2.encode(letter)[0] for letter in text], [text[: n + 1].count(" ") for n in range(len(text))]


def shares(weights, words):
    """Percent of attention to the own word, the word before, farther back, and the first token: [4, blocks, heads]."""
    words = torch.tensor(words)
    back = words[:, None] - words[None, :]
    first = torch.zeros_like(back, dtype=torch.bool)
    first[:, 0] = True
    places = [(back == 0) & ~first, (back == 1) & ~first, (back > 1) & ~first, first]
    queries = words > 1  # tokens that have at least two words before them
    return torch.stack([100 * (weights * place)[:, :, queries].sum(-1).mean(-1) for place in places])


if all(check.done(name) for name in PARTS):
    table = {}
    for name, code, cut in [
        ("English", "en", cut_into_tokens),
        ("Tajik", "tg", cut_into_tokens),
        ("Russian", "ru", cut_into_tokens),
        ("English, letter by letter", "en", cut_into_letters),
    ]:
        texts = [row["text"] for row in declaration if row["lang"] == code and row["aligned"]][:20]
        cuts = [cut(text[:300]) for text in texts]
        table[name] = torch.stack([shares(looks(tokens, 3), words) for tokens, words in cuts]).mean(0)

    print("percent of attention to        own word   word before   farther   first token")
    for title, blocks, heads in [
        ("the head of the figure", [2], [1]),
        ("block 1, head 0", [1], [0]),
        ("all heads of the three blocks", [0, 1, 2], list(range(9))),
    ]:
        print(title)
        for name, share in table.items():
            own, before, farther, first = share[:, blocks][:, :, heads].mean((1, 2))
            print(f"   {name:26} {own:9.0f} {before:13.0f} {farther:9.0f} {first:13.0f}")

# %% [markdown]
# Look at the head of the figure. In English 55 percent of its attention goes to the word before and 28 percent to the
# word itself. In Tajik 82 percent stays inside the word. The head of block 1 changes in the same way, from 33 percent
# to 81. In Tajik these heads are busy with spelling.
#
# It is not the language. English that is cut into letters comes close to Tajik: 68 percent in one head and 79 in the
# other. What a head does depends on the tokens that it gets, and the tokenizer decides about these.
#
# So this is the answer. In a Tajik sentence, two heads that could connect words look at the letters of one word. The
# model first has to put words together, with heads that in English are free for other work.
#
# How much of the model is that? These two heads were chosen because they show it clearly. Averaged over all 27 heads of
# the three blocks, the difference is smaller: 25 percent of the attention stays inside the word in Tajik, 17 in
# English.
#
# ## Where this goes wrong
#
# **Wrong, and it runs.** A wrong shape stops the program. A wrong angle does not. The next cell runs SmolLM2 with four
# versions of the rotation on eight English paragraphs. The **loss** says how badly the next token was predicted: less
# is better (in `u02_optimisation` you made a loss small).


# %%
def neighbours_turned(x, positions, theta):
    """The rotation of another family of models: numbers 0 and 1 are a pair, 2 and 3, and so on."""
    halves = torch.cat([x[..., 0::2], x[..., 1::2]], dim=-1)
    return rotate(halves, positions, theta).unflatten(-1, (2, -1)).transpose(-1, -2).flatten(-2)


VERSIONS = {
    "as SmolLM2 was trained": lambda x, positions: rotate(x, positions, THETA),
    "theta = 10,000 instead of 100,000": lambda x, positions: rotate(x, positions, 10_000.0),
    "neighbours as pairs, not halves": lambda x, positions: neighbours_turned(x, positions, THETA),
    "not turned at all": lambda x, positions: x,
}


def mean_loss(texts, version):
    """The mean loss of the next token over `texts`, with another version of the rotation."""

    def layer(x, weights, positions, allowed):
        def attention(x, weights):
            parts = (lambda vectors: version(vectors, positions)), attend_allowed, split_heads, join_heads
            return self_attention(x, weights, allowed, HEADS, *parts)

        return block(x, weights, attention, norm, feed_forward)

    losses = []
    for text in texts:
        tokens = torch.tensor([smollm2.encode(text)])
        logits = run_model(tokens, torch.ones_like(tokens, dtype=torch.bool), state, may_look, layer, norm)
        losses.append(torch.nn.functional.cross_entropy(logits[0, :-1], tokens[0, 1:], reduction="none"))
    return torch.cat(losses).mean()


if all(check.done(name) for name in PARTS):
    english = [row["text"] for row in declaration if row["lang"] == "en" and row["aligned"]][:8]
    for name, version in VERSIONS.items():
        print(f"{name:35} loss {mean_loss(english, version):.2f}")

# %% [markdown]
# None of the wrong versions raises an error, and the wrong $\theta$ looks almost right. Only a comparison with the
# original finds such a mistake. When you write a known model again, compare numbers, layer by layer, as you did above.
#
# **Attention is not an explanation.** A weight of 0.9 says that much of a value was taken over. It does not say that
# this value decided the answer. Different attention weights can lead to the same output. Use such pictures to ask
# questions, and experiments, such as cutting English into letters, to answer them.
#
# **The first token.** Weights add up to 1, so a head must look somewhere even when it finds nothing. Many models learn
# to leave the attention on the first token, which is always there. The next cell shows how much, in the 30 blocks.

# %%
if all(check.done(name) for name in PARTS):
    tokens, _ = cut_into_tokens(english[0])
    to_first = looks(tokens, 30)[:, :, 5:, 0].mean((1, 2))
    figure, axis = plt.subplots(figsize=(7, 2.4), layout="constrained")
    axis.bar(range(30), to_first, color="gray")
    axis.set(xlabel="block", ylabel="share of attention", title="Attention to the first token", ylim=(0, 1))
    plt.show()

# %% [markdown]
# In the last ten blocks more than half of the attention goes to a token that means nothing special. If you cut off the
# beginning of a long text to save memory, you take this token away, and the model may suddenly write nonsense.
#
# **A mask that means the opposite.** Some libraries say `True` for "may look", others for "must not look". The program
# runs with either. Test it: change the last token, and see whether the first output changes.
#
# **Short texts.** Programs often make masks and angles once, for the longest text, and keep them. Then they must be
# cut to the length of the text at hand. A text with a single token is a good test: an axis of length 1 fits every
# other length, so a mistake there can go unnoticed.
#
# **Attention costs the square.** Each token looks at each token before it. Twice as many tokens are four times as many
# scores. A Tajik text with five times as many tokens has 25 times as many scores. Unit 12 is about saving here.
#
# ## What would you do with your own data?
#
# Take a few sentences of your own, in two languages that you know.
#
# 1. Draw the figure of section 9 for them. Which tokens look at their own word only?
# 2. Find another head. For each of the 27 heads of the first three blocks, compute the share that goes to the token
#    before. Which head has the largest share in English? And which one looks at the farthest words?
# 3. Write Tajik without `ғ ӣ қ ӯ ҳ ҷ`, as on a Russian keyboard. Do the shares change?
# 4. A model with a tokenizer for Tajik needs no heads for spelling. How would you show that it uses them for something
#    else? Plan the experiment: what do you measure, with what do you compare, and which result would prove you wrong?
#
# In unit 6 you train a small model on Tajik. It is built as in this unit. Its gradients are computed as in unit 1
# (`u01_autograd`, "Autograd: the vowels of Tajik"), and its steps are those of unit 2 (`u02_optimisation`,
# "Optimisation: training that you can steer").
