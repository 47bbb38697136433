"""Hidden checks of unit 05. Oracles: loops over plain floats, torch's own attention, and the Llama of transformers."""

import math
from functools import lru_cache

import numpy
import torch
from huggingface_hub import hf_hub_download
from safetensors import safe_open
from transformers import AutoConfig, LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import (
    LlamaAttention,
    LlamaDecoderLayer,
    LlamaMLP,
    LlamaRotaryEmbedding,
    rotate_half,
)

from autograder.student import check, expect

#: Tokens in a text, wherever its length is not what is tested.
LENGTH = 6


def normal(rng, *shape, dtype=torch.float32):
    """A tensor of normally distributed numbers."""
    return torch.randn(shape, generator=rng.torch, dtype=dtype)


def shown(tensor):
    """The numbers of a small tensor as rounded lists; of a larger one the shape."""
    if tensor.numel() > 60:
        return f"shape {list(tensor.shape)}"
    if not tensor.is_floating_point():
        return tensor.tolist()
    return numpy.round(tensor.detach().double().numpy(), 3).tolist()


def real_numbers(value, shape, tried):
    """The learner's tensor in float64, after a look at what it is."""
    if isinstance(value, numpy.ndarray) and value.dtype.kind in "fiu":
        value = torch.from_numpy(numpy.array(value))
    right = isinstance(value, torch.Tensor) and tuple(value.shape) == tuple(shape) and not value.is_complex()
    got = f"shape {list(value.shape)}" if isinstance(value, torch.Tensor) else value
    expect(right, hint="Give back a tensor of the shape {shape}.", input=tried, got=got, _shape=list(shape))
    return value.detach().double()


def close(left, right, tolerance=1e-4):
    """Whether two tensors agree up to rounding; never with `nan`."""
    return torch.allclose(left.double(), right.detach().double(), rtol=tolerance, atol=tolerance)


def pair_of(value, tried):
    """The two things that attention gives back."""
    right = isinstance(value, (tuple, list)) and len(value) == 2
    expect(right, hint="Give back two tensors: the mixed values and the attention weights.", input=tried, got=value)
    return value


# 1. Look and mix


def by_loops(queries, keys, values):
    """Mixed values of one text, number by number in double precision; `queries` and so on are tables."""
    queries, keys, values = (table.double().tolist() for table in (queries, keys, values))
    mixed = []
    for query in queries:
        scores = [math.fsum(a * b for a, b in zip(query, key, strict=True)) / math.sqrt(len(query)) for key in keys]
        powers = [math.exp(score - max(scores)) for score in scores]
        shares = [power / math.fsum(powers) for power in powers]
        columns = zip(*values, strict=True)
        mixed.append([math.fsum(share * v for share, v in zip(shares, column, strict=True)) for column in columns])
    return torch.tensor(mixed, dtype=torch.float64)


def described(queries, keys, values):
    return {"queries": shown(queries), "keys": shown(keys), "values": shown(values)}


def attended(student, queries, keys, values):
    tried = described(queries, keys, values)
    mixed, weights = pair_of(student.attend(queries.clone(), keys.clone(), values.clone()), tried)
    lead = tuple(queries.shape[:-1])
    mixed = real_numbers(mixed, (*lead, values.shape[-1]), tried)
    return mixed, real_numbers(weights, (*lead, keys.shape[-2]), tried), tried


@check("attention.mix", points=2)
def the_values_are_mixed_by_fit(student, rng):
    """Each query gets the mean of the values, weighted by the softmax of its scores."""
    shapes = [(1, 1, 1, 1), (1, 2, 1, 1), (2, 1, 2, 1), (1, 2, 3, 2), (2, 3, 2, 1), (3, 3, 4, 2), (4, 2, 5, 3)]
    for q, k, size, width in shapes:
        queries, keys, values = (2 * normal(rng, *shape) for shape in [(q, size), (k, size), (k, width)])
        mixed, _, tried = attended(student, queries, keys, values)
        expect(
            close(mixed, by_loops(queries, keys, values)),
            hint="Compute the scores and the softmax of one row by hand.",
            input=tried,
            got=shown(mixed),
        )
    for lead in [(2,), (3, 2), (2, 1, 3)]:
        q, k, size, width = (rng.randint(2, 5) for _ in range(4))
        shapes = [(*lead, q, size), (*lead, k, size), (*lead, k, width)]
        queries, keys, values = (normal(rng, *shape, dtype=torch.float64) for shape in shapes)
        mixed, _, tried = attended(student, queries, keys, values)
        right = torch.nn.functional.scaled_dot_product_attention(queries, keys, values)
        expect(
            close(mixed, right),
            hint="It is right for one text. Which axes does your code use when there are {axes} axes?",
            input=tried,
            got=shown(mixed),
            _axes=len(lead) + 2,
        )


@check("attention.mix", points=1)
def the_weights_are_those_that_mixed(student, rng):
    """The second result holds the shares by which the values were mixed."""
    for q, k in [(1, 1), (1, 2), (2, 2), (3, 4)]:
        queries, keys = normal(rng, q, 3), normal(rng, k, 3)
        values = torch.eye(k)  # here the mixed values are the shares themselves
        mixed, weights, tried = attended(student, queries, keys, values)
        expect(
            close(weights, mixed),
            hint="Multiply your attention weights with the values. What should come out?",
            input=tried,
            got=shown(weights),
        )


@check("attention.mix", points=1)
def large_scores_stay_finite(student, rng):
    """With scores in the thousands, each query gets the value of the key that fits."""
    for size in range(1, 6):
        order = rng.sample(range(size), size)
        keys = 100 * torch.eye(size)
        queries, values = keys[order], normal(rng, size, 2)
        mixed, _, tried = attended(student, queries, keys, values)
        expect(
            close(mixed, values[order]),
            hint="What is the exponential of 1000 in your code? What can be taken off all scores of a row first?",
            input=tried,
            got=shown(mixed),
        )


# 2. Who may look at whom


def mask_of(student, real):
    got = student.may_look(real.clone())
    if isinstance(got, numpy.ndarray):
        got = torch.from_numpy(numpy.array(got))
    batch, tokens = real.shape
    right = isinstance(got, torch.Tensor) and tuple(got.shape) == (batch, tokens, tokens) and got.dtype == torch.bool
    expect(
        right,
        hint="Give back a tensor of truth values with the shape [batch, tokens, tokens].",
        input=real.tolist(),
        got=shown(got) if isinstance(got, torch.Tensor) else got,
    )
    return got.tolist()


@check("mask.make", points=2)
def real_tokens_see_themselves_and_the_past(student, rng):
    """In a text without padding, each token may look at itself and at all tokens before it, and at none behind it."""
    for tokens in range(1, 8):
        for batch in (1, 2):
            got = mask_of(student, torch.ones(batch, tokens, dtype=torch.bool))
            row = [[j <= i for j in range(tokens)] for i in range(tokens)]
            expect(
                got == [row] * batch,
                hint="Read one row of your table aloud: this token may look at ...",
                input=f"{batch} texts of {tokens} real tokens",
                got=got,
            )


@check("mask.make", points=1)
def padding_is_never_seen(student, rng):
    """A real token may look at the real tokens before it and at no padding, wherever the padding stands."""
    for tokens in [2, 2, 3, 3, *range(3, 8)]:
        texts = [[rng.random() < 0.6 for _ in range(tokens)] for _ in range(rng.randint(1, 3))]
        left = [False] * (tokens - 1) + [True]
        texts = [left, *texts] if rng.random() < 0.5 else [*texts, left]
        got = mask_of(student, torch.tensor(texts))
        for real, table in zip(texts, got, strict=True):
            rows = [(i, j) for i in range(tokens) for j in range(i) if real[i]]
            wrong = next(((i, j) for i, j in rows if table[i][j] != real[j]), None)
            where = wrong or (0, 0)
            expect(
                wrong is None,
                hint="Look at row {row}, column {column}. May this token look at that one?",
                input=real,
                got=table,
                _row=where[0],
                _column=where[1],
            )


# 3. Attention with a mask


def attended_allowed(student, queries, keys, values, allowed):
    tried = {**described(queries, keys, values), "allowed": shown(allowed)}
    got = student.attend_allowed(queries.clone(), keys.clone(), values.clone(), allowed.clone())
    mixed, weights = pair_of(got, tried)
    lead = tuple(queries.shape[:-1])
    mixed = real_numbers(mixed, (*lead, values.shape[-1]), tried)
    return mixed, real_numbers(weights, (*lead, keys.shape[-2]), tried), tried


def without_forbidden_keys(queries, keys, values, allowed):
    """For each query of one text: attention over the keys that it may look at, as if there were no others."""
    rows = []
    for query, may in zip(queries, allowed, strict=True):
        rows.append(by_loops(query[None], keys[may], values[may])[0])
    return torch.stack(rows)


def some_allowed(rng, q, k):
    """A random mask in which each query may look at something."""
    rows = [[rng.random() < 0.5 for _ in range(k)] for _ in range(q)]
    for row in rows:
        row[rng.randrange(k)] = True
    return torch.tensor(rows)


@check("attention.masked", points=3)
def forbidden_keys_count_as_deleted(student, rng):
    """Each query gets what it would get if the keys that it may not look at were not there."""
    for q, k in [(1, 1), (1, 2), (1, 2), (2, 2), (2, 3), (3, 4), (4, 5)] * 2:
        queries, keys, values = normal(rng, q, 3), normal(rng, k, 3), normal(rng, k, 2)
        allowed = some_allowed(rng, q, k)
        mixed, weights, tried = attended_allowed(student, queries, keys, values, allowed)
        right = without_forbidden_keys(queries, keys, values, allowed)
        expect(
            close(mixed, right),
            hint="Cross out the forbidden keys on paper and compute one row. Do its weights still add up to 1?",
            input=tried,
            got=shown(mixed),
        )
        shares = without_forbidden_keys(queries, keys, torch.eye(k), allowed)
        expect(
            close(weights, shares),
            hint="Which attention weights have the keys that are crossed out?",
            input=tried,
            got=shown(weights),
        )
    # a forbidden key may fit far better than all others
    for k in (2, 3, 5):
        place = rng.randrange(k)
        query = 10 * torch.ones(1, 4)
        keys = normal(rng, k, 4) / 10
        keys[place] = 100 * torch.ones(4)
        allowed, values = torch.arange(k)[None] != place, normal(rng, k, 2)
        mixed, _, tried = attended_allowed(student, query, keys, values, allowed)
        right = without_forbidden_keys(query, keys, values, allowed)
        expect(
            close(mixed, right),
            hint="Key number {place} is forbidden, and its score is very large. What is left of it in your code?",
            input=tried,
            got=shown(mixed),
            _place=place,
        )
    # several texts with several heads, and one mask for all heads of a text
    batch, heads, tokens = 2, 3, 4
    shape = (batch, heads, tokens, 2)
    queries, keys, values = normal(rng, *shape), normal(rng, *shape), normal(rng, *shape)
    allowed = torch.stack([some_allowed(rng, tokens, tokens) for _ in range(batch)])[:, None]
    mixed, _, tried = attended_allowed(student, queries, keys, values, allowed)
    for text in range(batch):
        for head in range(heads):
            here = (text, head)
            right = without_forbidden_keys(queries[here], keys[here], values[here], allowed[text, 0])
            expect(
                close(mixed[here], right),
                hint="It is right for one text and one head. How does the mask get its axes?",
                input=tried,
                got=shown(mixed[here]),
            )


@check("attention.masked", points=1)
def nothing_allowed_gives_zeros(student, rng):
    """A query that may look at nothing has zeros as weights and as mixed values, and the others are not touched."""
    for q, k in [(1, 1), (1, 2), (2, 2), (3, 2), (3, 4)]:
        queries, keys, values = normal(rng, q, 3), normal(rng, k, 3), normal(rng, k, 2)
        allowed = some_allowed(rng, q, k)
        blind = rng.randrange(q)
        allowed[blind] = False
        mixed, weights, tried = attended_allowed(student, queries, keys, values, allowed)
        zeros = bool((mixed[blind] == 0).all() and (weights[blind] == 0).all())
        expect(
            zeros,
            hint="Query number {blind} may look at nothing. What does your softmax make of its row?",
            input=tried,
            got=(shown(mixed), shown(weights)),
            _blind=blind,
        )
        others = [bool(weights[i].sum() > 0) for i in range(q) if i != blind]
        expect(
            all(others),
            hint="Only query number {blind} may look at nothing.",
            input=tried,
            got=shown(weights),
            _blind=blind,
        )
    queries, keys, values = normal(rng, 1, 3), normal(rng, 2, 3), normal(rng, 2, 2)
    mixed, _, tried = attended_allowed(student, queries, keys, values, torch.tensor([[True, True]]))
    expect(bool((mixed != 0).any()), hint="Here everything is allowed.", input=tried, got=shown(mixed))


# 4. Where order comes from


def turned(student, x, positions, theta):
    positions = torch.tensor(positions)
    tried = {"x": shown(x), "positions": positions.tolist(), "theta": theta}
    return real_numbers(student.rotate(x.clone(), positions, theta), tuple(x.shape), tried), tried


def sturdy(rng, *shape):
    """Numbers that are not close to zero, so that every turn can be seen."""
    signs = torch.randint(0, 2, shape, generator=rng.torch) * 2 - 1
    return signs * (0.5 + torch.rand(shape, generator=rng.torch))


def some_theta(rng):
    return rng.choice([10.0, 500.0, 10_000.0, 100_000.0])


@check("rope.rotate", points=2)
def only_the_offset_counts(student, rng):
    """The dot product of a turned query and a turned key depends on the offset of their positions, and on that only."""
    for size in [2, 2, 4, 4, 6, 8, 16]:
        theta = some_theta(rng)
        query, key = sturdy(rng, 1, size), sturdy(rng, 1, size)
        at, offset, shift = rng.randint(0, 9), rng.randint(1, 5), rng.randint(1, 300)
        scores = []
        for start in (at, at + shift):
            left, _ = turned(student, query, [start + offset], theta)
            right, _ = turned(student, key, [start], theta)
            scores.append(float((left * right).sum()))
        tried = {"size": size, "offset": offset, "positions of the key": (at, at + shift), "theta": theta}
        expect(
            abs(scores[0] - scores[1]) < 5e-3 * size,
            hint="Both pairs of positions are {offset} apart. What in your code depends on more than that?",
            input=tried,
            got=scores,
            _offset=offset,
        )
        # a vector fits itself best where it stands, and less so one or two steps away
        here, _ = turned(student, key, [at], theta)
        there, _ = turned(student, key, [at + rng.randint(1, 2)], theta)
        differs = float((here * there).sum()) < float((here * here).sum()) - 0.05
        expect(
            differs,
            hint="The same vector is turned at two positions. Where are `positions` used in your code?",
            input=tried,
            got=(shown(here), shown(there)),
        )


@check("rope.rotate", points=1)
def lengths_stay(student, rng):
    """A turned vector has the length that it had, and at position 0 nothing changes."""
    for size in [2, 4, 6, 8, 32]:
        theta, x = some_theta(rng), sturdy(rng, 4, size)
        got, tried = turned(student, x, [0, 1, 2, 3], theta)
        expect(
            close(got[0], x[0]), hint="By which angle is the vector at position 0 turned?", input=tried, got=shown(got)
        )
        expect(
            close(got.norm(dim=-1), x.norm(dim=-1), 1e-3),
            hint="Look at one pair. Is the sum of its two squares the same before and after?",
            input=tried,
            got=shown(got),
        )


@check("rope.rotate", points=2)
def the_halves_are_turned_as_in_llama(student, rng):
    """Number i of the first half and number i of the second half are turned together, by the angle of the formula."""
    for size, tokens, lead in [(2, 2, ()), (2, 3, ()), (4, 2, ()), (4, 5, (2,)), (8, 4, (2, 3)), (64, 5, (1, 2))]:
        theta, x = some_theta(rng), normal(rng, *lead, tokens, size)
        cos, sin = angles_of(size, theta, tokens)
        right = x * cos + rotate_half(x) * sin
        got, tried = turned(student, x, list(range(tokens)), theta)
        expect(
            close(got, right, 1e-3),
            hint="Take a vector of {size} numbers. Which numbers form a pair, and by which angle is each pair turned?",
            input=tried,
            got=shown(got),
            _size=size,
        )


def angles_of(size, theta, tokens):
    """Cosines and sines for positions from 0 on, [tokens, size], from transformers."""
    config = tiny_config(hidden_size=size, num_attention_heads=1, num_key_value_heads=1, theta=theta)
    cos, sin = LlamaRotaryEmbedding(config)(torch.zeros(1, tokens, size), torch.arange(tokens)[None])
    return cos[0], sin[0]


def tiny_config(theta=500.0, **changes):
    """The configuration of a Llama so small that it is computed in a moment."""
    sizes = {"hidden_size": 8, "intermediate_size": 12, "num_attention_heads": 2, "num_key_value_heads": 2}
    rest = {"num_hidden_layers": 2, "vocab_size": 20, "max_position_embeddings": 64, "rms_norm_eps": 1e-5}
    rope = {"rope_parameters": {"rope_type": "default", "rope_theta": theta}, "attn_implementation": "eager"}
    return LlamaConfig(**{**sizes, **rest, **rope, **changes}, pad_token_id=None, bos_token_id=None, eos_token_id=None)


# 5. Several heads


@check("heads.split", points=2)
def each_head_gets_its_numbers(student, rng):
    """Head h gets the h-th part of the vector of each token."""
    for batch, tokens, heads, size in [
        (1, 1, 2, 1),
        (1, 2, 2, 1),
        (1, 1, 2, 2),
        (1, 2, 3, 2),
        (2, 3, 2, 4),
        (3, 4, 3, 2),
    ]:
        x = normal(rng, batch, tokens, heads * size)
        parts = [
            [[x[b, t, h * size : (h + 1) * size] for t in range(tokens)] for h in range(heads)] for b in range(batch)
        ]
        right = torch.stack([torch.stack([torch.stack(head) for head in text]) for text in parts])
        got = real_numbers(student.split_heads(x.clone(), heads), right.shape, (shown(x), heads))
        expect(
            close(got, right),
            hint="Follow the {size} numbers of the last token that belong to head 0. Where do they end up?",
            input=(shown(x), heads),
            got=shown(got),
            _size=size,
        )


@check("heads.split", points=1)
def the_parts_become_one_vector(student, rng):
    """The vector of a token holds the part of head 0, then the part of head 1, and so on."""
    for batch, heads, tokens, size in [
        (1, 2, 1, 1),
        (1, 2, 2, 1),
        (1, 2, 1, 2),
        (1, 3, 2, 2),
        (2, 2, 3, 4),
        (3, 3, 4, 2),
    ]:
        x = normal(rng, batch, heads, tokens, size)
        right = torch.stack([torch.stack([torch.cat(list(text[:, t])) for t in range(tokens)]) for text in x])
        got = real_numbers(student.join_heads(x.clone()), right.shape, shown(x))
        expect(
            close(got, right),
            hint="Which parts belong to the first token? They must stand side by side.",
            input=shown(x),
            got=shown(got),
        )


# 6. The attention layer. The functions that a learner's code is given say what they cannot take.


def four_axes(x, tokens, size, name):
    right = isinstance(x, torch.Tensor) and x.dim() >= 4 and tuple(x.shape[-2:]) == (tokens, size)
    got = f"shape {list(x.shape)}" if isinstance(x, torch.Tensor) else x
    expect(
        right,
        hint="`{name}` takes tensors of the shape [batch, heads, tokens, size]; here size is {size}.",
        got=got,
        _name=name,
        _size=size,
    )


def given_turn(tokens, size, theta):
    """`turn` for a learner's layer; without `theta` it changes nothing."""
    cos, sin = angles_of(size, theta, tokens) if theta else (torch.ones(tokens, size), torch.zeros(tokens, size))

    def turn(x):
        four_axes(x, tokens, size, "turn")
        first, second = x.chunk(2, dim=-1)
        return x * cos + torch.cat([-second, first], dim=-1) * sin

    return turn


def given_attend(queries, keys, values, allowed):
    """`attend` for a learner's layer: torch's softmax over what is allowed, and zeros for nothing."""
    tensors = all(isinstance(item, torch.Tensor) for item in (queries, keys, values, allowed))
    expect(tensors, hint="`attend` takes queries, keys, values and the mask, all of them tensors.", got=allowed)
    shapes = [list(item.shape) for item in (queries, keys, values, allowed)]
    expect(allowed.dtype == torch.bool, hint="The mask for `attend` holds truth values.", got=allowed)
    try:
        scores = (queries @ keys.mT) * queries.shape[-1] ** -0.5
        hidden = torch.zeros_like(scores).masked_fill(~allowed, -torch.inf)
        weights = (scores + hidden).softmax(-1).nan_to_num(0.0)
        mixed = weights @ values
    except RuntimeError:
        mixed = None
    expect(
        mixed is not None,
        hint="These shapes of queries, keys, values and mask do not go together in `attend`.",
        got=shapes,
    )
    return mixed, weights


def given_split(x, heads):
    right = isinstance(x, torch.Tensor) and x.dim() == 3 and isinstance(heads, int) and heads > 0
    right = right and x.shape[-1] % heads == 0
    got = (f"shape {list(x.shape)}" if isinstance(x, torch.Tensor) else x, heads)
    expect(right, hint="`split` takes a tensor [batch, tokens, heads * size] and the number of heads.", got=got)
    return torch.stack(x.chunk(heads, dim=-1), dim=1)


def given_join(x):
    right = isinstance(x, torch.Tensor) and x.dim() == 4
    got = f"shape {list(x.shape)}" if isinstance(x, torch.Tensor) else x
    expect(right, hint="`join` takes a tensor [batch, heads, tokens, size].", got=got)
    return torch.cat(list(x.unbind(1)), dim=-1)


class AttentionLayer:
    """A random attention layer of transformers, and the same one in a learner's code."""

    def __init__(self, rng, heads, key_heads, size, theta=None):
        sizes = {"hidden_size": heads * size, "num_attention_heads": heads, "num_key_value_heads": key_heads}
        self.layer = LlamaAttention(tiny_config(**sizes), layer_idx=0).eval()
        self.weights = {name: normal(rng, *w.shape) * 0.7 for name, w in self.layer.state_dict().items()}
        self.layer.load_state_dict(self.weights)
        self.heads, self.size, self.theta = heads, size, theta

    def expected(self, x, allowed):
        tokens = x.shape[1]
        cos, sin = torch.ones(tokens, self.size), torch.zeros(tokens, self.size)
        if self.theta:
            cos, sin = angles_of(self.size, self.theta, tokens)
        mask = torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)[:, None]
        angles = (cos.expand(len(x), -1, -1), sin.expand(len(x), -1, -1))
        return self.layer(x, position_embeddings=angles, attention_mask=mask)[0].detach()

    def got(self, student, x, allowed, tried):
        weights = {name: weight.clone() for name, weight in self.weights.items()}
        functions = given_turn(x.shape[1], self.size, self.theta), given_attend, given_split, given_join
        got = student.self_attention(x.clone(), weights, allowed.clone(), self.heads, *functions)
        return real_numbers(got, tuple(x.shape), tried)


@check("attention.layer", points=2)
def it_is_the_layer_of_transformers(student, rng):
    """With as many heads of keys as of queries, the layer gives what the attention layer of a Llama gives."""
    for heads, size, tokens in [(1, 2, 1), (1, 2, 2), (2, 2, 1), (2, 2, 2), (2, 4, 3), (3, 4, 5), (4, 2, LENGTH)]:
        layer = AttentionLayer(rng, heads, heads, size, theta=some_theta(rng))
        x = normal(rng, 1, tokens, heads * size)
        allowed = torch.ones(1, tokens, tokens, dtype=torch.bool)
        tried = {"heads": heads, "size of a head": size, "tokens": tokens}
        right = layer.expected(x, allowed)
        got = layer.got(student, x, allowed, tried)
        expect(
            close(got, right, 1e-3),
            hint="Go through the six steps. Which matrix, and which vectors are turned?",
            input=tried,
            got=shown(got),
        )


@check("attention.layer", points=1)
def neighbouring_heads_share_keys(student, rng):
    """Where there are fewer heads of keys, neighbouring heads of queries share one."""
    for heads, key_heads, tokens in [(2, 1, 2), (3, 1, 2), (4, 2, 2), (6, 2, 3), (6, 3, 2), (9, 3, 4)]:
        layer = AttentionLayer(rng, heads, key_heads, 2)
        x = normal(rng, 1, tokens, heads * 2)
        allowed = torch.ones(1, tokens, tokens, dtype=torch.bool)
        tried = {"heads of queries": heads, "heads of keys": key_heads, "tokens": tokens}
        right = layer.expected(x, allowed)
        got = layer.got(student, x, allowed, tried)
        expect(
            close(got, right, 1e-3),
            hint="Write down for each of the {heads} heads of queries which head of keys it uses.",
            input=tried,
            got=shown(got),
            _heads=heads,
        )


def padded(rng, lengths, tokens):
    """For each text of a batch which tokens are real; padding stands on the left or on the right."""
    rows = []
    for length in lengths:
        real, padding = [True] * length, [False] * (tokens - length)
        rows.append(padding + real if rng.random() < 0.5 else real + padding)
    return torch.tensor(rows)


def causal(real):
    """The mask of a batch: real tokens that are not later."""
    tokens = real.shape[1]
    places = torch.arange(tokens)
    return (places[:, None] >= places[None, :])[None] & real[:, None, :]


@check("attention.layer", points=1)
def each_text_has_its_own_mask(student, rng):
    """A text in a batch gets the same vectors as it gets alone and without padding."""
    for heads, tokens in [(2, 2), (2, 3), (3, 4), (2, 5), (4, 5)]:
        layer = AttentionLayer(rng, heads, heads, 2)
        lengths = [*rng.sample([*range(1, tokens + 1)] * heads, heads - 1), tokens - 1]
        real = padded(rng, lengths, tokens)
        x = normal(rng, heads, tokens, heads * 2)
        tried = {"heads": heads, "real tokens": real.tolist()}
        alone = [layer.expected(x[b : b + 1, real[b]], causal(real[b : b + 1, real[b]]))[0] for b in range(heads)]
        got = layer.got(student, x, causal(real), tried)
        for b, right in enumerate(alone):
            expect(
                close(got[b, real[b]], right, 1e-3),
                hint="Write the shape of the mask below the shape of the scores. Which axes meet each other?",
                input=tried,
                got=shown(got[b]),
            )


@check("attention.layer", points=1)
def later_tokens_leave_earlier_ones_alone(student, rng):
    """With a causal mask a token changes the output at its own place and behind it, and nothing before it."""
    for tokens in [2, 3, LENGTH]:
        layer = AttentionLayer(rng, 2, 1, 4, theta=some_theta(rng))
        x, place = 0.3 * normal(rng, 1, tokens, 8), rng.randrange(tokens - 1)
        other = x.clone()
        other[0, place] = 0.3 * normal(rng, 8)
        tried = {"tokens": tokens, "changed token": place}
        real = torch.ones(1, tokens, dtype=torch.bool)
        before, after = (layer.got(student, vectors, causal(real), tried) for vectors in (x, other))
        change = (before - after).abs().amax(dim=(0, 2))
        finite = bool(torch.isfinite(before).all() and torch.isfinite(after).all())
        expect(
            finite and bool((change[:place] < 1e-4).all()),
            hint="Token {place} was changed, and an earlier token noticed. What did your code do with the mask?",
            input=tried,
            got=shown(change),
            _place=place,
        )
        expect(
            bool((change[place:] > 1e-6).all()),
            hint="Token {place} was changed, and a later token did not notice. Does it look back?",
            input=tried,
            got=shown(change),
            _place=place,
        )


# 7. The block


@check("block.build", points=2)
def each_vector_is_normalised_by_itself(student, rng):
    """RMSNorm divides each vector by the root of the mean of its squares plus epsilon, and scales each number."""
    for shape in [(1, 1), (1, 2), (2, 2), (3, 4), (2, 3, 4), (2, 2, 8)]:
        for scale, eps in [(1.0, 1e-5), (10.0, 1e-5), (1e-2, 1e-4), (0.1, 0.5), (0.0, 1e-5)]:
            x = scale * (normal(rng, *shape) + 0.5)
            weight = normal(rng, shape[-1])
            tried = {"x": shown(x), "weight": shown(weight), "eps": eps}
            right = torch.nn.functional.rms_norm(x.double(), (shape[-1],), weight.double(), eps)
            got = real_numbers(student.rms_norm(x.clone(), weight.clone(), eps), shape, tried)
            expect(
                close(got, right, 1e-3),
                hint="Compute one vector by hand, with its own mean of squares. Where does epsilon stand?",
                input=tried,
                got=shown(got),
            )


@check("block.build", points=1)
def the_gate_opens_and_closes(student, rng):
    """The feed-forward network multiplies the gate with the other branch, and brings it back to the old size."""
    for size, wide, lead in [(1, 1, (1,)), (1, 2, (1,)), (2, 3, (2,)), (4, 6, (2, 3)), (6, 4, (1, 2))]:
        config = tiny_config(hidden_size=size, intermediate_size=wide, num_attention_heads=1, num_key_value_heads=1)
        layer = LlamaMLP(config).eval()
        weights = {name: normal(rng, *w.shape) for name, w in layer.state_dict().items()}
        layer.load_state_dict(weights)
        x = normal(rng, *lead, size)
        right = layer(x).detach()
        tried = {"x": shown(x), **{name: shown(w) for name, w in weights.items()}}
        got = student.feed_forward(x.clone(), {name: weight.clone() for name, weight in weights.items()})
        got = real_numbers(got, tuple(x.shape), tried)
        expect(
            close(got, right, 1e-3), hint="Which of the two matrices goes through silu?", input=tried, got=shown(got)
        )


class Block:
    """A block of transformers; a learner's `block` is given its parts, which compute with the weights they receive."""

    def __init__(self, config, weights):
        self.layer = LlamaDecoderLayer(config, layer_idx=0).eval()
        self.layer.load_state_dict(weights)
        self.rotary = LlamaRotaryEmbedding(config)
        self.weights, self.eps = weights, config.rms_norm_eps

    def context(self, x):
        mask = torch.full((1, 1, x.shape[1], x.shape[1]), torch.finfo(torch.float32).min).triu(1)
        return {"position_embeddings": self.rotary(x, torch.arange(x.shape[1])[None]), "attention_mask": mask}

    def expected(self, x):
        return self.layer(x, **self.context(x)).detach()

    def functions(self, shape):
        def checked(x, weights, module, name):
            right = isinstance(x, torch.Tensor) and tuple(x.shape) == shape
            expect(right, hint="`{name}` takes the vectors of all tokens first.", got=x, _name=name)
            names = set(module.state_dict())
            right = isinstance(weights, dict) and set(weights) == names
            got = sorted(weights, key=str) if isinstance(weights, dict) else weights
            expect(
                right, hint="`{name}` takes its own weights only: {names}.", got=got, _name=name, _names=sorted(names)
            )

        def attention(x, weights):
            checked(x, weights, self.layer.self_attn, "attention")
            called = torch.func.functional_call(self.layer.self_attn, weights, (x,), self.context(x))
            return called[0].detach()

        def norm(x, weight):
            right = isinstance(x, torch.Tensor) and isinstance(weight, torch.Tensor) and weight.shape == x.shape[-1:]
            expect(right, hint="`norm` takes vectors and one row of weights.", got=weight)
            return torch.nn.functional.rms_norm(x, x.shape[-1:], weight, self.eps)

        def mlp(x, weights):
            checked(x, weights, self.layer.mlp, "mlp")
            return torch.func.functional_call(self.layer.mlp, weights, (x,)).detach()

        return attention, norm, mlp


def random_block(rng, size):
    config = tiny_config(hidden_size=size)
    shapes = {name: w.shape for name, w in LlamaDecoderLayer(config, layer_idx=0).state_dict().items()}
    return Block(config, {name: normal(rng, *shape) * 0.5 for name, shape in shapes.items()})


SMOLLM2 = "HuggingFaceTB/SmolLM2-135M-Instruct"


@lru_cache
def first_block_of_smollm2():
    """Block 0 of SmolLM2, in single precision."""
    start, config = "model.layers.0.", AutoConfig.from_pretrained(SMOLLM2)
    config._attn_implementation = "eager"
    with safe_open(hf_hub_download(SMOLLM2, "model.safetensors"), "pt") as file:
        names = [name for name in file.keys() if name.startswith(start)]
        return Block(config, {name.removeprefix(start): file.get_tensor(name).float() for name in names})


def some_tokens_of_smollm2(rng, number):
    """The vectors of `number` tokens, drawn at random."""
    with safe_open(hf_hub_download(SMOLLM2, "model.safetensors"), "pt") as file:
        table = file.get_slice("model.embed_tokens.weight")
        rows = [table[place : place + 1].float() for place in rng.sample(range(table.get_shape()[0] - 1), number)]
    return torch.cat(rows)[None]


@check("block.build", points=2, seconds=30)
def two_branches_are_added(student, rng):
    """The block gives what a block of a Llama gives, on random weights and on the first block of SmolLM2."""
    cases = [(random_block(rng, 4), normal(rng, 1, tokens, 4), f"{tokens} tokens") for tokens in (1, 2)]
    cases.append((random_block(rng, 8), normal(rng, 2, 3, 8), "2 texts of 3 tokens"))
    cases.append((first_block_of_smollm2(), some_tokens_of_smollm2(rng, 5), "SmolLM2, 5 tokens"))
    for oracle, x, tried in cases:
        right = oracle.expected(x)
        weights = {name: weight.clone() for name, weight in oracle.weights.items()}
        got = student.block(x.clone(), weights, *oracle.functions(tuple(x.shape)))
        got = real_numbers(got, tuple(x.shape), tried)
        expect(
            close(got, right, 2e-3),
            hint="Draw the block. Where does each branch leave the straight line, and where is it added?",
            input=tried,
            got=shown(got),
        )


@check("block.build", points=1)
def the_vectors_given_stay_as_they_were(student, rng):
    """The block gives back new vectors and leaves those that it is given as they were."""
    for tokens in (1, 2, 4):
        oracle, x = random_block(rng, 4), normal(rng, 1, tokens, 4)
        given = x.clone()
        weights = {name: weight.clone() for name, weight in oracle.weights.items()}
        got = student.block(given, weights, *oracle.functions(tuple(x.shape)))
        got = real_numbers(got, tuple(x.shape), shown(x))
        expect(
            torch.equal(given, x),
            hint="Print `x` before and after the call. What is the difference between `x += y` and `x = x + y`?",
            input=shown(x),
            got=shown(given),
        )
        expect(not close(got, x), hint="The block must do something with the vectors.", input=shown(x), got=shown(got))


# 8. A whole model


class Model:
    """A random Llama, and the same one in a learner's `run_model`."""

    def __init__(self, rng, layers=2, tied=True):
        self.config = tiny_config(num_hidden_layers=layers, num_key_value_heads=1, tie_word_embeddings=tied)
        self.model = LlamaForCausalLM(self.config).eval()
        for parameter in self.model.parameters():
            parameter.data = normal(rng, *parameter.shape) * 0.6
        if tied:
            self.model.tie_weights()
        self.state = {name: weight.detach().clone() for name, weight in self.model.state_dict().items()}
        if tied:
            del self.state["lm_head.weight"]  # as in a file: what is tied is stored once

    def expected(self, tokens):
        """Logits of texts without padding."""
        return self.model(input_ids=tokens).logits.detach()

    def got(self, student, tokens, real=None, tried=None):
        real = torch.ones_like(tokens, dtype=torch.bool) if real is None else real
        tried = {"tokens": tokens.tolist(), "real": real.tolist()} if tried is None else tried
        state = {name: weight.clone() for name, weight in self.state.items()}
        got = student.run_model(tokens.clone(), real.clone(), state, *self.functions(tokens.shape))
        return real_numbers(got, (*tokens.shape, self.config.vocab_size), tried)

    def functions(self, shape):
        batch, tokens = shape
        block, rotary = self.model.model.layers[0], self.model.model.rotary_emb

        def look(real):
            right = isinstance(real, torch.Tensor) and real.dtype == torch.bool and real.shape == shape
            expect(right, hint="`look` takes the truth values that say which tokens are real.", got=real)
            return causal(real)

        def layer(x, weights, positions, allowed):
            right = isinstance(x, torch.Tensor) and tuple(x.shape) == (batch, tokens, self.config.hidden_size)
            got = f"shape {list(x.shape)}" if isinstance(x, torch.Tensor) else x
            expect(right, hint="`layer` takes one vector for each token of each text.", got=got)
            right = isinstance(weights, dict) and set(weights) == set(block.state_dict())
            got = sorted(weights, key=str) if isinstance(weights, dict) else weights
            expect(right, hint="`layer` takes the weights of one block, under short names.", got=got)
            right = isinstance(positions, torch.Tensor) and tuple(positions.shape) == (tokens,)
            expect(
                right,
                hint="This text has {tokens} tokens. `layer` takes a position for each.",
                got=positions,
                _tokens=tokens,
            )
            right = isinstance(allowed, torch.Tensor) and allowed.dtype == torch.bool
            right = right and tuple(allowed.shape) == (batch, tokens, tokens)
            expect(right, hint="`layer` takes the mask that `look` gives for this text.", got=allowed)
            mask = torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)[:, None]
            context = {"position_embeddings": rotary(x, positions[None].expand(batch, -1)), "attention_mask": mask}
            return torch.func.functional_call(block, weights, (x,), context).detach()

        def norm(x, weight):
            right = isinstance(x, torch.Tensor) and isinstance(weight, torch.Tensor) and weight.shape == x.shape[-1:]
            expect(right, hint="`norm` takes vectors and one row of weights.", got=weight)
            return torch.nn.functional.rms_norm(x, x.shape[-1:], weight, self.config.rms_norm_eps)

        return look, layer, norm


def some_tokens(rng, *shape):
    return torch.randint(0, 20, shape, generator=rng.torch)


@check("model.run", points=2)
def the_logits_are_those_of_transformers(student, rng):
    """The logits are those that a Llama with the same weights gives."""
    for layers, batch in [(1, 1), (2, 1), (3, 2)]:
        oracle, tokens = Model(rng, layers), some_tokens(rng, batch, LENGTH)
        right = oracle.expected(tokens)
        got = oracle.got(student, tokens)
        expect(
            close(got, right, 2e-3),
            hint="This model has {layers} blocks. What comes before the first one, and what after the last one?",
            input=tokens.tolist(),
            got=shown(got),
            _layers=layers,
        )


@check("model.run", points=1)
def many_blocks_keep_their_order(student, rng):
    """All blocks of a large model are used, in the order of their numbers."""
    for layers in (4, 12):
        oracle, tokens = Model(rng, layers), some_tokens(rng, 1, LENGTH)
        right = oracle.expected(tokens)
        got = oracle.got(student, tokens)
        expect(
            close(got, right, 5e-3),
            hint="This model has {layers} blocks. Print their numbers in the order in which your code uses them.",
            input=f"{layers} blocks",
            got=shown(got),
            _layers=layers,
        )


@check("model.run", points=1)
def a_head_that_is_not_tied_is_used(student, rng):
    """Where the model has a matrix of its own for the logits, this matrix is used."""
    oracle, tokens = Model(rng, 1, tied=False), some_tokens(rng, 1, LENGTH)
    right = oracle.expected(tokens)
    got = oracle.got(student, tokens)
    expect(
        close(got, right, 2e-3),
        hint="Which names does `state` hold here, besides those of the blocks?",
        input=[n for n in oracle.state if ".layers." not in n],
        got=shown(got),
    )


@check("model.run", points=1)
def padding_changes_nothing(student, rng):
    """The logits of a text do not depend on padding, nor on the other texts of the batch."""
    for lengths in [(LENGTH - 1,), (LENGTH, 2), (3, 1, LENGTH - 1)]:
        oracle, tokens = Model(rng), some_tokens(rng, len(lengths), LENGTH)
        real = padded(rng, lengths, LENGTH)
        real[0] = torch.arange(LENGTH) >= LENGTH - lengths[0]  # at least one text begins with padding
        alone = [oracle.expected(text[kept][None])[0] for text, kept in zip(tokens, real, strict=True)]
        tried = {"tokens": tokens.tolist(), "real": real.tolist()}
        got = oracle.got(student, tokens, real, tried)
        for place, right in enumerate(alone):
            here = got[place, real[place]]
            expect(
                close(here, right, 2e-3),
                hint="Text {place} differs from what it gives alone. Does the mask know which tokens are padding?",
                input=tried,
                got=shown(here),
                _place=place,
            )


@check("model.run", points=2)
def a_shorter_text_gives_the_beginning(student, rng):
    """A text that is cut off gives the same logits as before the cut, at every length from one token on."""
    oracle = Model(rng)
    tokens = some_tokens(rng, 1, LENGTH + 4)
    right = oracle.expected(tokens)
    lengths = rng.sample(range(2, LENGTH + 5), LENGTH + 3)  # growing and shrinking
    for length in [1, *lengths, 1]:
        tried = {"tokens": tokens[:, :length].tolist()}
        got = oracle.got(student, tokens[:, :length], tried=tried)
        expect(
            close(got, right[:, :length], 2e-3),
            hint="This text has {length} tokens. Which positions and which mask does your code make for it?",
            input=tried,
            got=shown(got),
            _length=length,
        )


@check("model.run", points=1)
def the_future_is_not_seen(student, rng):
    """Another token changes the logits at its own place and behind it, and never before it."""
    for place in sorted(rng.sample(range(LENGTH), 3)):
        oracle, tokens = Model(rng), some_tokens(rng, 1, LENGTH)
        other = tokens.clone()
        other[0, place] = (tokens[0, place] + rng.randint(1, 19)) % 20
        before, after = oracle.got(student, tokens), oracle.got(student, other)
        change = (before - after).abs().amax(dim=(0, 2))
        tried = {"before": tokens.tolist(), "after": other.tolist()}
        finite = bool(torch.isfinite(before).all() and torch.isfinite(after).all())
        expect(
            finite and bool((change[:place] < 1e-4).all()),
            hint="The texts differ at place {place} only. Which logits may differ?",
            input=tried,
            got=shown(change),
            _place=place,
        )
        expect(
            bool((change[place:] > 1e-6).all()),
            hint="The texts differ at place {place}, and later logits do not. Does what came earlier reach them?",
            input=tried,
            got=shown(change),
            _place=place,
        )
