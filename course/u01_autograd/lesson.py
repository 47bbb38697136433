# %% [markdown]
# # Autograd: the vowels of Tajik
#
# **Can a program that has never heard Tajik find out which of its letters are vowels?**
#
# You have known the vowels of Tajik since your first year at school. A program knows nothing. It gets a list of words
# and sees 35 different signs. For Tajik somebody can tell it the answer. For Shughni, Wakhi or Yaghnobi, often there is
# little more than a list of words, collected by a few people. So the question is worth an answer.
#
# Your program will give each letter a few numbers and change them, little by little, until they predict well which
# letter comes next. For every number it must know: does the prediction get better if this number grows, or if it
# shrinks? That is a question about a derivative. A program that works out derivatives by itself is called
# **autograd**, short for automatic gradient. All of deep learning stands on it. In this unit you build one.

# %% locked=true
from autograder.student import expect, open_unit

check = open_unit("u01_autograd")

# %%
from collections import Counter
from itertools import pairwise

import datasets
import matplotlib.pyplot as plt
import numpy as np
import torch
from datasets import load_dataset

datasets.logging.set_verbosity_error()

# %% [markdown]
# ## The data
#
# The list has 52,508 entries with Tajik words, from the package `tajiknlp`. You keep the words that are written with
# the 35 letters only, each word once. A border sign `|` stands before and behind each word. Then you count which sign
# follows which.

# %%
LETTERS = "абвгғдеёжзиӣйкқлмнопрстуӯфхҳчҷшъэюя"
SIGNS = LETTERS + "|"


def count_neighbours(words, signs):
    """A table: how often the sign of the column stands directly behind the sign of the row."""
    table = np.zeros((len(signs), len(signs)))
    for pair, times in Counter(pair for word in words for pair in pairwise(f"|{word}|")).items():
        table[signs.index(pair[0]), signs.index(pair[1])] = times
    return table


entries = load_dataset("ustod/tajik-words", split="train")
words = sorted({word for entry in entries["word"] if set(word := entry.lower()) <= set(LETTERS)})
counts = count_neighbours(words, SIGNS)
shares = counts / counts.sum()

print(f"{len(words)} words, {counts.sum():.0f} pairs of neighbours")
print("most frequent after б:", " ".join(SIGNS[n] for n in np.argsort(-counts[SIGNS.index("б")])[:6]))


# %%
def draw_table(order, title):
    """Draw the shares of the pairs, with rows and columns in the given order of signs."""
    rows = counts / counts.sum(axis=1, keepdims=True)
    numbers = [SIGNS.index(sign) for sign in order]
    figure, axis = plt.subplots(figsize=(6, 5.4), layout="constrained")
    picture = axis.imshow(rows[numbers][:, numbers], cmap="Greys", vmax=0.4)
    axis.set_xticks(range(len(order)), list(order), fontsize=8)
    axis.set_yticks(range(len(order)), list(order), fontsize=8)
    axis.set(xlabel="the sign behind", ylabel="this sign", title=title)
    figure.colorbar(picture, label="share of the row", shrink=0.8)
    plt.show()


draw_table(SIGNS, "Which sign follows which, in the order of the alphabet")

# %% [markdown]
# Dark squares are frequent pairs. There is a pattern, but in this order you hardly see it. At the end of this unit
# you will draw the same table in an order that your own program has found.
#
# ## The model
#
# A **model** is a formula with numbers in it that can be changed. The numbers are called **parameters**. Here each
# sign has three of them:
#
# - a **left number**, for when it stands on the left of a pair;
# - a **right number**, for when it stands on the right of a pair;
# - a **bias**, which says how frequent it is anyway.
#
# The **score** of a pair is $s_{ij} = \text{left}_i \cdot \text{right}_j + \text{bias}_j$. A high score means: the
# model expects sign $j$ behind sign $i$. So all that the model knows about what follows a letter goes through one
# single number, the left number. With 36 signs there are 108 parameters.
#
# The **loss** is one number that says how badly the model predicts. You will write it in Exercise 7. Until then you
# need only this: the loss is a function of 108 numbers, and you want to make it small.
#
# ## 1. Measure a slope
#
# Take one parameter, make it a little larger, and look at what the loss does. Then make it a little smaller. The
# difference, divided by the distance, is the **slope**:
#
# $$\frac{f(x + h) - f(x - h)}{2h}$$
#
# Here $h$ is a small **step**. This is called the **central difference**, because $x$ is in the middle. Looking at
# one side only, $(f(x + h) - f(x)) / h$, is much less exact.
#
# The **gradient** of $f$ is the array of the slopes, one for each number in $x$. It has the same shape as $x$. Each
# slope is measured alone: while one number moves, all others stay where they were.


# %% exercise="slope.measure"
def numerical_gradient(f, x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """The gradient of `f` at `x`, measured by central differences with `step`.

    `f` takes an array of the shape of `x` and gives a number. The result is an array of floats of that shape.
    `x` may have any number of axes, also none, and may hold whole numbers. It is the same afterwards as before.
    """
    ### BEGIN SOLUTION
    point = np.array(x, dtype=np.float64)
    slopes = np.empty(point.shape)
    for place in np.ndindex(point.shape):
        here = point[place]
        point[place] = here + step
        above = f(point)
        point[place] = here - step
        below = f(point)
        point[place] = here
        slopes[place] = (above - below) / (2 * step)
    return slopes
    ### END SOLUTION


# %% check="slope.measure"
@check.public("slope.measure")
def slope_of_a_square(student, rng):
    """The function x² has the slope 6 at 3."""
    got = student.numerical_gradient(lambda x: float((x * x).sum()), np.array([3.0]))
    right = isinstance(got, np.ndarray) and got.shape == (1,) and abs(got[0] - 6) < 1e-3
    expect(right, hint="Put the two values of the function into the formula by hand.", input=[3.0], got=got)


@check.public("slope.measure")
def two_slopes(student, rng):
    """The function 2a + 5b has the slopes 2 and 5."""
    got = student.numerical_gradient(lambda x: float(2 * x[0] + 5 * x[1]), np.array([1.0, 1.0]))
    right = isinstance(got, np.ndarray) and got.shape == (2,) and np.allclose(got, [2, 5], atol=1e-3)
    expect(right, hint="Move one number at a time.", input=[1.0, 1.0], got=got)


check("slope.measure")

# %% [markdown]
# How small should the step be? The next cell measures the slope of $e^x$ at 1 with many steps and compares it with the
# true slope, which is $e$.

# %%
if check.done("slope.measure"):
    steps = 10.0 ** np.arange(-13, 0.5, 0.5)
    one = np.array(1.0)
    central = [abs(numerical_gradient(np.exp, one, step) - np.e) for step in steps]
    one_sided = [abs((np.exp(1 + step) - np.e) / step - np.e) for step in steps]
    figure, axis = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
    axis.loglog(steps, one_sided, "k--s", markersize=4, label="one side")
    axis.loglog(steps, central, "k-o", markersize=4, label="central")
    axis.set(xlabel="step", ylabel="error of the slope", title="Too large is wrong, and too small is wrong")
    axis.legend()
    plt.show()

# %% [markdown]
# On the right side of the figure the step is too large: the function bends in between. On the left side it is too
# small: the two values are so similar that their difference consists of rounding errors. The central difference is
# best near $10^{-5}$, where it has about ten right digits.
#
# Then why not always measure? Count: 108 parameters need 216 evaluations of the loss, for one small change of the
# parameters. A model with a hundred million parameters needs two hundred million. Measuring is slow, but it is
# simple and can be trusted. So you keep it as a judge, for Exercise 6.
#
# ## 2. A rule for each operation
#
# The fast way uses what you learned about derivatives. Every long formula is a chain of simple operations: add,
# multiply, take the exponential. For each operation you need one rule.
#
# Think of one operation in the middle of a long calculation. Its output is an array. The calculation goes on and ends
# with one number, the loss. Suppose that you already have the gradient of the loss with respect to the **output of
# this operation**. It is called `g` here, and it has the shape of the output. The rule must find the gradients with
# respect to the **inputs**. Each has the shape of its input.
#
# Two examples. For $y = a + b$: if $a$ grows by a little, $y$ grows by the same. So both inputs get `g` as it is. For
# $y = \tanh a$, the slope is $1 - \tanh^2 a$, for each element alone. The **chain rule** says: multiply the slopes
# along the way. So the input gets $g \cdot (1 - \tanh^2 a)$.


# %% locked=true
def add_rule(g, a, b):
    """The rule of y = a + b."""
    return g, g


def tanh_rule(g, a):
    """The rule of y = tanh(a), for each element."""
    return (g * (1 - np.tanh(a) ** 2),)


# %% [markdown]
# Now the product of two matrices, $Y = AB$. Write it with indices: $y_{ij} = \sum_k a_{ik} b_{kj}$. Where does one
# number $a_{ik}$ act? It acts on $y_{ij}$, for every $j$, and there it is multiplied by $b_{kj}$. So its gradient
# collects all of these: $\sum_j g_{ij} b_{kj}$. This sum is again a product of two matrices. Which one? And what do
# you get for $b_{kj}$?
#
# Derive the five rules on paper first. All sizes fit here: `a` and `b` in `mul_rule` have the same shape. A rule
# returns a tuple with one gradient for each input, and it changes none of its arguments.
#
# In `sum_rule`, the output is `a.sum(axis=..., keepdims=True)`, or `a.sum()`. So `g` has the same number of axes as
# `a`, with a 1 where numbers were added, or no axis at all. In both cases numpy can stretch `g` to the shape of `a`.


# %% exercise="rules.write"
def mul_rule(g, a, b):
    """The rule of y = a * b, element by element, for two arrays of one shape."""
    ### BEGIN SOLUTION
    return g * b, g * a
    ### END SOLUTION


def matmul_rule(g, a, b):
    """The rule of y = a @ b for two matrices."""
    ### BEGIN SOLUTION
    return g @ b.T, a.T @ g
    ### END SOLUTION


def exp_rule(g, a):
    """The rule of y = exp(a), for each element."""
    ### BEGIN SOLUTION
    return (g * np.exp(a),)
    ### END SOLUTION


def log_rule(g, a):
    """The rule of y = log(a), the natural logarithm, for each element."""
    ### BEGIN SOLUTION
    return (g / a,)
    ### END SOLUTION


def sum_rule(g, a):
    """The rule of y = a.sum(axis=..., keepdims=True) and of y = a.sum(); the gradient has the shape of `a`."""
    ### BEGIN SOLUTION
    return (np.broadcast_to(g, a.shape),)
    ### END SOLUTION


# %% check="rules.write"
@check.public("rules.write")
def product_by_hand(student, rng):
    """For y = a·b with a = 3, b = 5 and g = 1, the gradients are 5 and 3."""
    got = student.mul_rule(np.array([1.0]), np.array([3.0]), np.array([5.0]))
    right = isinstance(got, (tuple, list)) and len(got) == 2 and [float(np.sum(part)) for part in got] == [5.0, 3.0]
    expect(right, hint="By how much does y grow when a grows by 1?", input="a = 3, b = 5", got=got)


@check.public("rules.write")
def sum_by_hand(student, rng):
    """For y = a.sum() with g = 2, each of three numbers gets the gradient 2."""
    got = student.sum_rule(np.array(2.0), np.array([7.0, 8.0, 9.0]))
    right = isinstance(got, (tuple, list)) and len(got) == 1 and np.array_equal(got[0], [2.0, 2.0, 2.0])
    expect(right, hint="By how much does the sum grow when one of the numbers grows by 1?", got=got)


check("rules.write")

# %% [markdown]
# ## 3. Undo the stretching
#
# In the model, `bias` has 36 numbers and the scores are a table of 36 × 36. When you add them, numpy stretches `bias`:
# it uses the same 36 numbers in every row. This is called **broadcasting**. numpy compares the shapes **from the
# right**. An axis of size 1 is stretched, and an axis that is missing on the left is added.
#
# | shape | stretched to | what happens |
# |---|---|---|
# | `(3,)` | `(2, 3)` | a new axis in front |
# | `(2, 1)` | `(2, 3)` | the axis of size 1 is stretched |
# | `(1,)` | `(4, 2, 3)` | both |
# | `()` | `(2, 3)` | one number is used six times |
#
# For the gradient, the way back matters. `g` has the large shape, and `bias` needs a gradient of its own, small shape.
# A number that was used in many places acts on the loss through all of them. So its gradient is the **sum** over all
# the places where it was used.
#
# There is an exact way to say that the way there and the way back belong together. Write $\langle u, v \rangle$ for
# the sum of all products of elements of $u$ and $v$. Then for every small array $x$ and every large array $g$
#
# $$\langle \text{stretched } x,\; g \rangle = \langle x,\; \text{unbroadcast } g \rangle$$
#
# An operation that fits another one in this way is called its **adjoint**. Autograd is made of adjoints: each rule
# takes a gradient back through one operation.


# %% exercise="shape.unbroadcast"
def unbroadcast(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Sum `g` back to `shape`, which numpy can stretch to the shape of `g`.

    Each number of the result is the sum of all elements of `g` to which broadcasting would copy it.
    """
    ### BEGIN SOLUTION
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    stretched = tuple(axis for axis, size in enumerate(shape) if size == 1)
    return g.sum(axis=stretched, keepdims=True)
    ### END SOLUTION


# %% check="shape.unbroadcast"
@check.public("shape.unbroadcast")
def columns_are_added(student, rng):
    """For the shape (2,), the rows [1, 2] and [10, 20] are added to [11, 22]."""
    g = np.array([[1.0, 2.0], [10.0, 20.0]])
    got = student.unbroadcast(g, (2,))
    expect(np.array_equal(got, [11.0, 22.0]), hint="Where does numpy add the new axis?", input=g, got=got)


@check.public("shape.unbroadcast")
def an_axis_of_size_one_stays(student, rng):
    """For the shape (2, 1), the rows [1, 2] and [10, 20] give the column 3, 30."""
    g = np.array([[1.0, 2.0], [10.0, 20.0]])
    got = student.unbroadcast(g, (2, 1))
    expect(np.array_equal(got, [[3.0], [30.0]]), hint="Which axis has size 1 in the shape?", input=g, got=got)


check("shape.unbroadcast")

# %% [markdown]
# ## 4. Arrays that remember
#
# Now put the rules together. A `Tensor` holds an array, and it remembers what it was computed from: its **parents** and
# its rule. A tensor without parents is a **leaf**. Parameters are leaves. If you write `y = (a + b).tanh()`, you get
# the value of `y`. And you get a **computational graph** that leads back from `y` to `a` and `b`. Its tensors are
# called **nodes**.
#
# Read the class. Nothing in it is magic. `record` does the operation and keeps the rule for later. Where broadcasting
# has changed the shape, it calls your `unbroadcast`.


# %%
# Read this cell. You need not change it.
class Tensor:
    """An array that remembers what it was computed from."""

    __array_ufunc__ = None  # so that numpy leaves `array * tensor` to this class

    def __init__(self, data, *parents, rule=None, name=""):
        self.data = np.array(data, dtype=np.float64)
        self.parents = parents
        self.rule = rule  # rule(g) gives a list of gradients, one for each parent
        self.name = name
        self.grad = None

    def add(self, other):
        return record(np.add, add_rule, self, other)

    def mul(self, other):
        return record(np.multiply, mul_rule, self, other)

    def matmul(self, other):
        return record(np.matmul, matmul_rule, self, other)

    def tanh(self):
        return record(np.tanh, tanh_rule, self)

    def exp(self):
        return record(np.exp, exp_rule, self)

    def log(self):
        return record(np.log, log_rule, self)

    def sum(self, axis=None, keepdims=False):
        if axis is not None and not keepdims:
            raise ValueError("This small engine sums over an axis only with keepdims=True.")
        return record(lambda a: a.sum(axis=axis, keepdims=keepdims), sum_rule, self)

    def __neg__(self):
        return self.mul(-1.0)

    def __sub__(self, other):
        return self.add(as_tensor(other).mul(-1.0))

    __add__ = __radd__ = add
    __mul__ = __rmul__ = mul
    __matmul__ = matmul


def as_tensor(value):
    """`value` itself if it is a Tensor, else a leaf that holds it."""
    return value if isinstance(value, Tensor) else Tensor(value)


def record(operation, rule, *operands):
    """Do `operation` and remember how to go back."""
    tensors = [as_tensor(operand) for operand in operands]
    arrays = [tensor.data for tensor in tensors]

    def back(g):
        parts = rule(g, *arrays)
        return [p if p.shape == a.shape else unbroadcast(p, a.shape) for p, a in zip(parts, arrays, strict=True)]

    return Tensor(operation(*arrays), *tensors, rule=back)


def backward_by_paths(node, g, collect):
    """Follow every path from `node` back to a leaf, and hand over to the leaf what arrives there."""
    if not node.parents:
        collect(node, g)
        return
    for parent, part in zip(node.parents, node.rule(g), strict=True):
        backward_by_paths(parent, part, collect)


def chain(x, times):
    """x + 0.5 + 0.5 + …: a graph that is `times` nodes deep."""
    for _ in range(times):
        x = x + 0.5
    return x


# %% [markdown]
# The function `backward_by_paths` is already a complete engine. It goes back from the loss, follows every path, and
# applies the rule of every node on its way. What arrives at a leaf is one **part** of its gradient. If several paths
# lead to the same leaf, several parts arrive. The gradient is their sum.
#
# You write what happens at the leaf. `collect` adds a part to `leaf.grad`. At first `leaf.grad` is `None`, which means:
# nothing has arrived yet. `zero_grad` brings leaves back to this state, or sets their gradients to zeros.
#
# One warning. `add_rule` hands over **the same** array `g` to both parents. If you keep this very array in `a.grad` and
# later write `a.grad += part`, then the array in `b.grad` changes too, because it is the same one. Nobody tells you.


# %% exercise="grad.collect"
def collect(leaf, g: np.ndarray) -> None:
    """Add `g` to the gradient of `leaf`. Neither `g` nor the gradient of any other leaf ever changes by it."""
    ### BEGIN SOLUTION
    leaf.grad = g.copy() if leaf.grad is None else leaf.grad + g
    ### END SOLUTION


def zero_grad(*leaves) -> None:
    """Forget the gradients of all `leaves`, also of those that have none: set each to None or to zeros."""
    ### BEGIN SOLUTION
    for leaf in leaves:
        leaf.grad = None
    ### END SOLUTION


# %% check="grad.collect"
@check.public("grad.collect")
def two_parts_are_added(student, rng):
    """The parts 2 and 5 make the gradient 7."""
    leaf = student.Tensor([1.0])
    student.collect(leaf, np.array([2.0]))
    student.collect(leaf, np.array([5.0]))
    expect(np.array_equal(leaf.grad, [7.0]), hint="What is in `leaf.grad` before the second part?", got=leaf.grad)


@check.public("grad.collect")
def zero_forgets(student, rng):
    """After `zero_grad`, the part 5 makes the gradient 5."""
    leaf = student.Tensor([1.0])
    student.collect(leaf, np.array([2.0]))
    student.zero_grad(leaf)
    student.collect(leaf, np.array([5.0]))
    expect(np.array_equal(leaf.grad, [5.0]), hint="What is in `leaf.grad` after `zero_grad`?", got=leaf.grad)


check("grad.collect")

# %% [markdown]
# Try it on $y = s + \tanh s$ with $s = a + b$. Two paths lead to each leaf. Then double a number again and again, and
# count the paths.

# %%
if check.done("grad.collect"):
    a, b = Tensor([0.5]), Tensor([-0.2])
    s = a + b
    backward_by_paths(s + s.tanh(), np.ones(1), collect)
    print("gradients of a and b:", a.grad, b.grad, " by hand:", 1 + 1 - np.tanh(0.3) ** 2)

    for times in (4, 8, 12, 16):
        arrived = []
        x = y = Tensor(1.0)
        for _ in range(times):
            y = y + y
        backward_by_paths(y, np.ones(()), lambda leaf, g: arrived.append(leaf))
        print(f"{times:2} additions, {times + 1} nodes: {len(arrived):6} paths")

# %% [markdown]
# The gradients are right, but the number of paths doubles with each addition. Even with a million paths per second, 60
# additions would take 36,000 years. A graph of 61 nodes should not be so difficult.
#
# ## 5. Each node once
#
# The waste is easy to see. In $y = s + \tanh s$ the node $s$ is visited once for each path, and each time everything
# behind it is walked again. It is better to **wait** at $s$ until all parts have arrived, to add them up, and to apply
# the rule once.


# %%
def draw_graph():
    """Draw the graph of y = s + tanh(s), s = a + b, with the order in which the rules may be applied."""
    places = {"a": (0, 1), "b": (0, 0), "s": (1.5, 0.5), "tanh": (3, 1), "y": (4.5, 0.5)}
    turns = {"y": "1st", "tanh": "2nd", "s": "3rd"}
    _, axis = plt.subplots(figsize=(6.5, 2.4), layout="constrained")
    for start, end in [("a", "s"), ("b", "s"), ("s", "tanh"), ("tanh", "y"), ("s", "y")]:
        style = {"arrowstyle": "<|-", "color": "black", "shrinkA": 16, "shrinkB": 16}
        axis.annotate("", places[end], places[start], arrowprops=style)
    for name, (across, up) in places.items():
        axis.text(across, up, name, ha="center", va="center", bbox={"boxstyle": "circle", "facecolor": "white"})
        axis.text(across, up - 0.42, turns.get(name, "leaf"), ha="center", va="center", fontsize=9)
    axis.set(xlim=(-0.5, 5), ylim=(-0.6, 1.4))
    axis.set_title("Gradients go along the arrows, from y to the leaves", fontsize=10)
    axis.axis("off")
    plt.show()


draw_graph()

# %% [markdown]
# So the order matters. `s` has two users, `tanh` and `y`. Its rule may be applied only when **both** have handed over
# their parts. The walk with waiting has two rounds.
#
# 1. Go through the graph from the output and count, for each node, how many parts will arrive. A node that is used
#    twice by the same user, as in `s + s`, gets two.
# 2. Start at the output. Apply its rule and hand over the parts. Whenever all parts of a node have arrived, it is its
#    turn.
#
# Use a list of nodes that wait, not a function that calls itself. Python allows only some thousand calls inside each
# other, and a training loop easily makes a graph that is deeper.
#
# There is one more thing to settle. If the output is an array and not one number, the gradient of what? You say how
# much each element of the output counts. This array of weights has the shape of the output and is called the
# **cotangent**. The result is the gradient of $\langle \text{cotangent}, \text{output} \rangle$. For a loss, which is
# one number, the cotangent is 1.


# %% exercise="graph.backward"
def gradients(output, cotangent: np.ndarray, *leaves) -> list[np.ndarray]:
    """The gradients of the sum of `cotangent * output` with respect to each of `leaves`.

    A node has `node.parents` and, unless it is a leaf, `node.rule(g)`: one gradient for each parent, in their order.
    Each rule is called once at most. A leaf on which the output does not depend gets zeros of its shape.
    Works for graphs of any depth. No node changes, so asking again gives the same; `cotangent` stays as it is.
    """
    ### BEGIN SOLUTION
    expected = {}
    waiting = [output]
    while waiting:
        for parent in waiting.pop().parents:
            if parent not in expected:
                expected[parent] = 0
                waiting.append(parent)
            expected[parent] += 1

    total = {output: cotangent}
    ready = [output]
    while ready:
        node = ready.pop()
        if not node.parents:
            continue
        for parent, part in zip(node.parents, node.rule(total[node]), strict=True):
            total[parent] = total[parent] + part if parent in total else part
            expected[parent] -= 1
            if expected[parent] == 0:
                ready.append(parent)
    return [np.array(total[leaf]) if leaf in total else np.zeros(leaf.data.shape) for leaf in leaves]
    ### END SOLUTION


# %% check="graph.backward"
@check.public("graph.backward")
def one_sum(student, rng):
    """For y = a + b, both leaves get the cotangent."""
    a, b = student.Tensor([1.0, 2.0]), student.Tensor([3.0, 4.0])
    got = student.gradients(a.add(b), np.array([10.0, 20.0]), a, b)
    right = isinstance(got, (list, tuple)) and len(got) == 2 and all(np.array_equal(g, [10.0, 20.0]) for g in got)
    expect(right, hint="Look at `add_rule`.", input="y = a + b, cotangent 10, 20", got=got)


@check.public("graph.backward")
def one_tensor_twice(student, rng):
    """For y = a + a, the leaf gets twice the cotangent."""
    a = student.Tensor([1.0])
    got = student.gradients(a.add(a), np.array([3.0]), a)
    right = isinstance(got, (list, tuple)) and len(got) == 1 and np.array_equal(got[0], [6.0])
    expect(right, hint="How many parts arrive at the leaf?", input="y = a + a, cotangent 3", got=got)


@check.public("graph.backward")
def two_paths_one_call(student, rng):
    """In y = s + s the rule of s is called once, with what arrives on both paths."""
    given = []
    a = student.Tensor([1.0])
    s = student.Tensor([2.0], a, rule=lambda g: [given.append(float(g[0])) or 2 * g])
    got = student.gradients(s.add(s), np.array([3.0]), a)
    right = isinstance(got, (list, tuple)) and len(got) == 1 and np.array_equal(got[0], [12.0])
    expect(right, hint="The rule of s doubles what it is given.", input="s = 2a, y = s + s, cotangent 3", got=got)
    expect(given == [6.0], hint="Wait until both parts have arrived at s.", rule_was_given=given)


check("graph.backward")

# %%
if check.done("graph.backward"):
    x = y = Tensor(1.0)
    for _ in range(60):
        y = y + y
    (slope,) = gradients(y, np.ones(()), x)
    print(f"60 additions, 61 nodes, 2 to the power of 60 paths: the gradient is {slope:.0f}")
    try:
        (slope,) = gradients(chain(x, 5000), np.ones(()), x)
        print(f"a chain of 5,000 nodes: the gradient is {slope:.0f}")
    except RecursionError:
        print("a chain of 5,000 nodes: too many calls inside each other")

# %% [markdown]
# ## 6. Trust nobody: check the gradients
#
# A wrong gradient rarely crashes. Training goes on, the loss even falls, and the result is a little worse than it
# should be. People have lost weeks this way. So test every rule against the slow judge from Exercise 1. Such a test is
# called a **gradient check**.
#
# You get a function and its rule. Draw a **random** cotangent $c$ of the shape of the output. The number
# $\langle c, f(\text{inputs}) \rangle$ depends on the inputs, so its gradient can be measured. The rule must say the
# same, up to a small **tolerance**: for every element, $|\text{rule} - \text{measured}|$ must be at most
# $10^{-6} + 10^{-4} \cdot |\text{measured}|$.
#
# Why random? If the cotangent is all ones, a rule that forgets `g` looks right. Why every element? Some course
# libraries test one element at random to save time. A rule that is wrong at the border of an array is then found only
# with luck. And do not trust the tools blindly: `nan > 1` is `False` in Python, and numpy compares arrays of different
# shapes by stretching them.
#
# Your function gets `measure(f, x)`. In this notebook that is your own `numerical_gradient`. The grader passes its own,
# so a mistake in Exercise 1 costs you nothing here.


# %% exercise="rule.check"
def rule_agrees(function, rule, inputs: list[np.ndarray], measure) -> bool:
    """Whether `rule(g, *inputs)` gives the gradients of `function(*inputs)`, for a random cotangent g.

    `function` takes arrays and gives an array. `rule` gives a tuple with one gradient for each input.
    `measure(f, x)` measures the gradient of f, a function from an array to a number, as `numerical_gradient` does.
    True only if every gradient has the shape of its input and agrees with what was measured, in every element.
    """
    ### BEGIN SOLUTION
    output = np.asarray(function(*inputs))
    g = np.random.default_rng().normal(size=output.shape)
    claimed = rule(g, *inputs)
    for place, x in enumerate(inputs):

        def number(changed, place=place):
            arguments = [*inputs[:place], changed, *inputs[place + 1 :]]
            return float((g * function(*arguments)).sum())

        measured = measure(number, x)
        if np.shape(claimed[place]) != measured.shape:
            return False
        if not np.all(abs(claimed[place] - measured) <= 1e-6 + 1e-4 * abs(measured)):
            return False
    return True
    ### END SOLUTION


# %% check="rule.check"
@check.public("rule.check")
def a_right_and_a_wrong_rule(student, rng):
    """The rule of the square is 2xg; xg is wrong."""

    def measure(f, x):
        moves = 1e-5 * np.eye(x.size)
        return np.array([(f(x + move) - f(x - move)) / 2e-5 for move in moves])

    x = np.array([1.0, -2.0])
    got = student.rule_agrees(lambda x: x * x, lambda g, x: (2 * x * g,), [x], measure)
    expect(got == True, hint="This rule is right. Which numbers do you compare?", input="2xg", got=got)  # noqa: E712
    got = student.rule_agrees(lambda x: x * x, lambda g, x: (x * g,), [x], measure)
    expect(got == False, hint="This rule is wrong.", input="xg", got=got)  # noqa: E712


check("rule.check")

# %% [markdown]
# Now put your own rules to the test. Then look at a rule with a mistake that is easily made: the author forgot that
# $a$ stands on both sides in `a @ a`.

# %%
if check.done("slope.measure") and check.done("rules.write") and check.done("rule.check"):
    random = np.random.default_rng(1)
    square, other = random.normal(size=(3, 3)), random.normal(size=(3, 3))
    cases = {
        "mul": (np.multiply, mul_rule, [square, other]),
        "matmul": (np.matmul, matmul_rule, [square, other]),
        "tanh": (np.tanh, tanh_rule, [square]),
        "exp": (np.exp, exp_rule, [square]),
        "log": (np.log, log_rule, [abs(square) + 1]),
        "sum": (lambda a: a.sum(axis=1, keepdims=True), sum_rule, [square]),
        "a @ a, forgetful": (lambda a: a @ a, lambda g, a: (g @ a.T,), [square]),
    }
    for name, (function, rule, inputs) in cases.items():
        print(f"{name:17}", "agrees" if rule_agrees(function, rule, inputs, numerical_gradient) else "WRONG")

# %% [markdown]
# ## 7. The loss
#
# Back to the letters. The model gives a score $s_{ij}$ to each pair. From the scores it makes probabilities: take the
# exponential, so that all numbers are positive, then divide each row by its sum, so that each row adds up to 1. This
# is called **softmax**:
#
# $$p_{ij} = \frac{e^{s_{ij}}}{\sum_k e^{s_{ik}}} \qquad \log p_{ij} = s_{ij} - \log \sum_k e^{s_{ik}}$$
#
# The loss is the average **surprise**, $-\log p$, over all pairs in the words. A pair that fills the share $t_{ij}$ of
# all pairs counts with this weight: $-\sum_{ij} t_{ij} \log p_{ij}$. A model that is never surprised has the loss 0.
#
# Write the loss with the operations that a `Tensor` has: `+`, `-`, `*`, `@`, `.exp()`, `.log()` and
# `.sum(axis=..., keepdims=True)` or `.sum()`. PyTorch understands the same words. So the same function will run on
# PyTorch's tensors without a change. Do not reach for `.data`: what is not recorded gets no gradient.


# %% exercise="letters.loss"
def letter_loss(shares, left, right, bias):
    """The average surprise of the model, one number, as a tensor of the kind that it is given.

    `shares` (n × n) are the shares of the pairs; the row is the sign on the left.
    `left` (n × 1), `right` (1 × n) and `bias` (n) are the parameters: score = left · right + bias.
    All four are a Tensor, or all four are a torch.Tensor.
    """
    ### BEGIN SOLUTION
    scores = left @ right + bias
    log_probabilities = scores - scores.exp().sum(axis=1, keepdims=True).log()
    return -(shares * log_probabilities).sum()
    ### END SOLUTION


# %% check="letters.loss"
@check.public("letters.loss")
def a_model_that_knows_nothing(student, rng):
    """If all parameters are 0, each of two signs has the probability 1/2 and the loss is log 2."""
    zeros = [np.zeros((2, 1)), np.zeros((1, 2)), np.zeros(2)]
    got = student.letter_loss(*[student.Tensor(array) for array in [np.full((2, 2), 0.25), *zeros]])
    expect(hasattr(got, "data"), hint="Give back a tensor.", got=got)
    right = np.shape(got.data) == () and abs(float(got.data) - np.log(2)) < 1e-9
    expect(right, hint="What is the sum of e⁰ + e⁰?", got=got.data)


check("letters.loss")

# %% [markdown]
# Now everything is there. **Training** repeats four lines: forget the old gradients, compute the loss, collect the
# gradients, and move each parameter a little against its gradient, where the loss is lower. How far is called the
# **learning rate**. Unit `u02_optimisation` is about this loop; here it is kept simple.

# %%
PARTS = ["slope.measure", "rules.write", "shape.unbroadcast", "grad.collect", "graph.backward", "letters.loss"]


def start(signs, seed=1):
    """Parameters of a model that knows nothing: small random numbers, and zeros for the bias."""
    generator = np.random.default_rng(seed)
    size = len(signs)
    left, right = generator.normal(0, 0.1, (size, 1)), generator.normal(0, 0.1, (1, size))
    return [Tensor(left, name="left"), Tensor(right, name="right"), Tensor(np.zeros(size), name="bias")]


def train(shares, parameters, steps=500, rate=10.0, forget=True):
    """Change the parameters in place; the losses on the way."""
    losses = []
    for _ in range(steps):
        if forget:
            zero_grad(*parameters)
        loss = letter_loss(Tensor(shares), *parameters)
        for parameter, g in zip(parameters, gradients(loss, np.ones(()), *parameters), strict=True):
            collect(parameter, g)
        for parameter in parameters:
            parameter.data = parameter.data - rate * parameter.grad
        losses.append(float(loss.data))
    return losses


ready = all([check.done(part) for part in PARTS])
if ready:
    parameters = start(SIGNS)
    table = Tensor(shares)
    fast = gradients(letter_loss(table, *parameters), np.ones(()), *parameters)
    slow = numerical_gradient(lambda x: letter_loss(table, Tensor(x), *parameters[1:]).data, parameters[0].data)
    print(f"largest difference between measured and computed: {abs(fast[0] - slow).max():.0e}")

    losses = train(shares, parameters)
    behind = shares.sum(axis=0)
    print(f"loss before training                  {losses[0]:.3f}")
    print(f"if only the frequencies are known     {-(behind * np.log(behind)).sum():.3f}")
    print(f"after {len(losses)} steps                       {losses[-1]:.3f}")

# %% [markdown]
# Before training the loss is close to $\log 36 = 3.584$: all signs are equally likely. The frequencies of the letters
# bring it to 3.101. One number for each letter brings it further down. What are these numbers?
#
# The sign of the numbers has no meaning: if you turn all left and right numbers around, the scores stay the same. The
# next cell turns them so that `а` has a positive left number.

# %%
VOWELS = set("аеёиӣоуӯэюя")  # for the colours of the figure; your program has not seen this

if ready:
    left, right = parameters[0].data[:, 0], parameters[1].data[0]
    turn = np.sign(left[SIGNS.index("а")])
    left, right = turn * left, turn * right
    order = "".join(SIGNS[n] for n in np.argsort(left))
    for name, side in [("negative", left < 0), ("positive", left >= 0)]:
        print(f"{name} left number:", " ".join(sign for sign in order if side[SIGNS.index(sign)]))

    figure, axis = plt.subplots(figsize=(7, 5.4), layout="constrained")
    axis.axvline(0, color="black", linewidth=0.6)
    axis.axhline(0, color="black", linewidth=0.6)
    for sign, across, up in zip(SIGNS, left, right, strict=True):
        box = {"boxstyle": "circle,pad=0.15", "facecolor": "lightgray", "linewidth": 0.5} if sign in VOWELS else None
        axis.text(across, up, sign, ha="center", va="center", fontsize=10, bbox=box)
    axis.set(xlim=(-2, 2.4), ylim=(-3.4, 2))
    axis.set(xlabel="left number: what likes to follow", ylabel="right number: what likes to precede")
    axis.set_title("36 signs after training; the vowels of the school book are gray", fontsize=10)
    plt.show()

# %% [markdown]
# Look at the line of negative and positive left numbers. Nobody told your program what a vowel is. It has never heard
# a word. Yet ten of the eleven vowels are on one side, and all consonants but `й` and `ъ` are on the other. So the
# answer is: yes, nearly. Start from other random numbers, with `start(SIGNS, seed=2)`, and the same three exceptions
# remain.
#
# What is special about them? The next cell looks at their neighbours.

# %%
KINDS = {"vowel": [s in VOWELS for s in SIGNS], "consonant": [s in LETTERS and s not in VOWELS for s in SIGNS]}

print("         before the letter         behind the letter")
print("       vowel  consonant  border   vowel  consonant  border   (percent)")
for letter in "баӣйъё":
    row = f"  {letter}  "
    for neighbours in (counts[:, SIGNS.index(letter)], counts[SIGNS.index(letter)]):
        vowel, consonant = (100 * neighbours[kind].sum() / neighbours.sum() for kind in KINDS.values())
        row += f"{vowel:6.0f} {consonant:10.0f} {100 - vowel - consonant:7.0f} "
    print(row)

# %% [markdown]
# - `б` and `а` are a usual consonant and a usual vowel.
# - `ӣ` stands at the end of a word: that is a rule of Tajik spelling. Only the border follows it, so its **left**
#   number says little about vowels. Its **right number** has more to learn from. In the figure, `ӣ` is far down, near
#   the other vowels, because consonants come before it.
# - `й` is a consonant in the school book. But behind it stand consonants far more often than vowels, as in `пайдо`. On
#   this side it behaves like a vowel. Before it stands a vowel, so its right number is that of a consonant.
# - `ъ` is rare, and anything may follow it.
#
# The letters `ё`, `ю`, `я` and `э` have the left number of a vowel, but not the right number. They often begin a word,
# or follow another vowel.
#
# Now draw the table again, in the order of the left numbers.

# %%
if ready:
    draw_table(order, "The same table, in the order of the left numbers")

# %% [markdown]
# The pattern that was hidden is clear: the upper rows, consonants, have their dark squares on the right, and the lower
# rows, vowels, on the left. Consonant and vowel take turns. That is all that your model has understood of Tajik, and
# it was enough.
#
# ## 8. The same idea in PyTorch
#
# You have built the heart of PyTorch. There the parts have other names:
#
# | your engine | PyTorch |
# |---|---|
# | `Tensor(data)` | `torch.tensor(data, requires_grad=True)` |
# | `node.parents`, `node.rule` | `tensor.grad_fn` |
# | `gradients(y, c, a, b)` | `torch.autograd.grad(y, [a, b], c)` |
# | `gradients`, then `collect` | `y.backward(c)` adds to `a.grad` and `b.grad` |
# | `zero_grad(a, b)` | `optimizer.zero_grad()` |
# | `rule_agrees(...)` | `torch.autograd.gradcheck(...)` |
#
# Two differences matter. PyTorch computes with 32 bits unless you ask for more; a gradient check needs 64 bits,
# `torch.float64`. And where the output does not depend on a tensor, PyTorch has no gradient: `a.grad` stays `None`, and
# `torch.autograd.grad` refuses unless you pass `allow_unused=True`.


# %%
def square_of_first(a, b):
    """An example: the output does not depend on b."""
    return a * a


# %% [markdown]
# Write `gradients` once more, with PyTorch doing the work. Arrays of numpy go in and come out.


# %% exercise="torch.gradients"
def torch_gradients(function, cotangent: np.ndarray, *arrays: np.ndarray) -> list[np.ndarray]:
    """The gradients of the sum of `cotangent * function(*arrays)`, by PyTorch, in 64 bits.

    `function` takes one torch tensor for each of `arrays` and gives a torch tensor of the shape of `cotangent`.
    The result has one array for each of `arrays`, of its shape; zeros if the output does not depend on it.
    """
    ### BEGIN SOLUTION
    tensors = [torch.tensor(array, dtype=torch.float64, requires_grad=True) for array in arrays]
    weights = torch.tensor(cotangent, dtype=torch.float64)
    found = torch.autograd.grad(function(*tensors), tensors, weights, allow_unused=True, materialize_grads=True)
    return [g.numpy() for g in found]
    ### END SOLUTION


# %% check="torch.gradients"
@check.public("torch.gradients")
def product_in_torch(student, rng):
    """For y = a·b with a = 3, b = 5 and the cotangent 2, the gradients are 10 and 6."""
    got = student.torch_gradients(torch.mul, np.array([2.0]), np.array([3.0]), np.array([5.0]))
    right = isinstance(got, (list, tuple)) and len(got) == 2 and np.allclose(np.ravel(got), [10, 6])
    expect(right, hint="How does `backward` learn the cotangent?", input="a = 3, b = 5, cotangent 2", got=got)


check("torch.gradients")

# %% [markdown]
# The last test: the same `letter_loss`, the same parameters, your engine and PyTorch.

# %%
if ready and check.done("torch.gradients"):
    arrays = [parameter.data for parameter in start(SIGNS, seed=2)]
    mine = gradients(letter_loss(Tensor(shares), *(inputs := [Tensor(a) for a in arrays])), np.ones(()), *inputs)
    fixed = torch.tensor(shares)
    theirs = torch_gradients(lambda *parameters: letter_loss(fixed, *parameters), np.ones(()), *arrays)
    for name, own, other in zip(["left", "right", "bias"], mine, theirs, strict=True):
        print(f"{name:5} largest gradient {abs(own).max():.6f}, largest difference {abs(own - other).max():.0e}")

# %% [markdown]
# The two agree to the last digits. From now on, in all other units, you let PyTorch do this. But you know what happens
# when you write `loss.backward()`.
#
# ## Where this goes wrong
#
# **Old gradients.** Gradients are added up until you forget them. If the loop does not call `zero_grad`, each step uses
# the sum of all gradients so far. Nothing crashes. The next cell trains once with `zero_grad` and once without.

# %%
if ready:
    with_zero = train(shares, start(SIGNS), steps=60)
    without = train(shares, start(SIGNS), steps=60, rate=0.3, forget=False)
    figure, axis = plt.subplots(figsize=(6.5, 3), layout="constrained")
    axis.plot(with_zero, "k-", label="with zero_grad")
    axis.plot(without, "k--", label="without, and a much smaller rate")
    axis.set(xlabel="step", ylabel="loss", title="The same model, the same data")
    axis.legend()
    plt.show()

# %% [markdown]
# **Changed too early.** A rule needs the values of the way forward. If you change an array in place before you go back,
# the rule computes with the wrong numbers. Your engine does not notice. PyTorch counts the changes of each tensor and
# refuses:

# %%
x = torch.tensor([1.0, 2.0], requires_grad=True)
y = x.exp()
z = y * y
with torch.no_grad():
    y.zero_()
try:
    z.sum().backward()
except RuntimeError as error:
    print("RuntimeError: a value", str(error).partition(" has been ")[2].partition(":")[0])

# %% [markdown]
# **Too large for exp.** $e^{1000}$ is too large for a computer and becomes `inf`. Then $\log$ gives `inf`, and `inf`
# minus `inf` gives `nan`. Here the scores stay small. In a real model, subtract the largest score of each row first;
# softmax does not change by it. `torch.logsumexp` and `torch.nn.functional.cross_entropy` do so.
#
# **Corners.** The function $|x|$ has no slope at 0. Frameworks pick a value there, and a gradient check at this point
# tells you nothing. Move the input a little.
#
# **An older method wins.** Is all this needed to find vowels? In 1962 the linguist Boris Sukhotin gave a method that
# only adds and subtracts counts. It assumes that vowels and consonants take turns. At first every letter counts as a
# consonant. The letter with the most neighbours is called a vowel. Letters that stand next to it are less likely to be
# vowels, so twice their pairs with it are subtracted from their counts. This goes on while a positive count is left.


# %%
def sukhotin(table, letters):
    """The vowels among `letters`, by the method of Sukhotin (1962)."""
    size = len(letters)
    pairs = table[:size, :size] + table[:size, :size].T
    np.fill_diagonal(pairs, 0)
    rest, found = pairs.sum(axis=1), ""
    while rest.max() > 0:
        best = int(rest.argmax())
        found += letters[best]
        rest = rest - 2 * pairs[best]
        rest[best] = -np.inf
    return found


found = sukhotin(counts, LETTERS)
print("Sukhotin's vowels:", " ".join(found), "- all eleven:", set(found) == VOWELS)

# %% [markdown]
# It finds all eleven vowels, without a single mistake and without a single gradient. Remember this. Before you train
# anything, look for the simple method, and compare. Your model has another strength: nobody told it to look for two
# groups. It had to predict letters, and the two groups turned out to be what helps most.
#
# **Another script.** The same program reads the Universal Declaration of Human Rights, once in Tajik and once in
# Persian. The two texts are about equally long, and the languages are close relatives.

# %%
if ready:
    declaration = load_dataset("ustod/udhr", split="train")
    for code, first in [("tg", "а"), ("fa", "ا")]:
        text = " ".join(row["text"].lower() for row in declaration if row["lang"] == code)
        seen = Counter(sign for sign in text if sign.isalpha())
        letters = "".join(sorted(sign for sign in seen if seen[sign] >= 5))
        running = [word for word in text.split() if set(word) <= set(letters)]
        table = count_neighbours(running, letters + "|")
        values = start(letters + "|")
        train(table / table.sum(), values)
        numbers = values[0].data[:-1, 0] * np.sign(values[0].data[letters.index(first), 0])
        ranked = [letters[n] for n in np.argsort(-numbers)]
        print(f"{code}: {len(running)} words")
        print("    largest left numbers:", " ".join(ranked[:11]))
        print("    Sukhotin's vowels:   ", " ".join(sukhotin(table, letters)))

# %% [markdown]
# The Tajik text is short, and the result is less clear than with the long list. Still, nine of the first eleven letters
# are vowels. In the Persian text there is nothing like it. Sukhotin's method begins well there, with three letters that
# often are vowels, and then goes on with consonants. The script is the reason. It leaves out most short vowels, and `و`
# and `ی` stand for a vowel in one word and for a consonant in another. A program finds only what is written down.
#
# ## What would you do with your own data?
#
# Take a list of words in a language that you or your family speak, in any script: Shughni, Wakhi, Yaghnobi, Uzbek. Some
# hundred words are a beginning. If you collect them from people, ask them first, and tell them what it is for.
#
# 1. Which letters does your program put on the side of `а`? Which stay in the middle, and how often do they occur?
# 2. Give each letter **two** left and two right numbers: `left` (n × 2), `right` (2 × n). The loss needs no change.
#    What does the second number separate?
# 3. How many words are needed before the answer stays the same? Try it with 100, 1,000 and 10,000 Tajik words.
# 4. Which other question about your data can be put as "predict this from that, with few numbers"?
#
# For each answer write down what the simple method says, and who could tell you that the answer is wrong.
