"""Hidden checks of unit 01."""

import math
import operator

import numpy as np

from autograder.student import check, expect

# Arrays


def as_array(value):
    """A learner's number or array as an array of floats, or None if it is anything else."""
    if not isinstance(value, (int, float, np.number, np.ndarray)) or isinstance(value, bool):
        return None
    array = np.asarray(value)
    return array.astype(np.float64) if array.dtype.kind in "iuf" else None


def close(got, right, tolerance=1e-9):
    """Whether a learner's array has the right shape and, in every element, the right value."""
    array = as_array(got)
    return array is not None and array.shape == right.shape and np.allclose(array, right, tolerance, tolerance)


def parts_of(got, number):
    """A learner's tuple or list of `number` gradients as a list of arrays, or None if it is anything else."""
    if not isinstance(got, (tuple, list)) or len(got) != number:
        return None
    arrays = [as_array(part) for part in got]
    return None if any(array is None for array in arrays) else arrays


def all_close(got, right, tolerance=1e-9):
    """Whether a learner's gradients are the right ones."""
    parts = parts_of(got, len(right))
    return parts is not None and all(close(part, array, tolerance) for part, array in zip(parts, right, strict=True))


def normal(rng, *shape):
    """Random numbers as an array, also for the empty shape; few digits, to be read."""
    return np.array(np.round(rng.numpy.normal(size=shape), 2))


def away_from_zero(rng, *shape):
    """Numbers between 0.5 and 2 with a random sign."""
    return np.array(np.round(rng.numpy.uniform(0.5, 2, shape) * rng.numpy.choice([-1.0, 1.0], shape), 2))


def exact_gradients(function, weights, arrays):
    """The gradients of the sum of `weights * function(*arrays)`, coordinate by coordinate.

    By a step in the imaginary direction, where nothing is subtracted: exact to the last digits for analytic functions.
    """
    found = []
    for number, array in enumerate(arrays):
        slopes = np.empty(array.shape)
        for place in np.ndindex(array.shape):
            moved = [np.array(other, dtype=complex) for other in arrays]
            moved[number][place] += 1e-30j
            slopes[place] = (weights * function(*moved)).sum().imag / 1e-30
        found.append(slopes)
    return found


# 1. Measure a slope


def bowl(rng, shape):
    """A function with slopes and bends that differ from coordinate to coordinate, and its gradient."""
    tilt, bend = away_from_zero(rng, *shape), away_from_zero(rng, *shape)

    def f(x):
        array = as_array(x)
        fits = array is not None and array.shape == shape
        expect(fits, hint="`f` takes an array of the shape of `x`: {shape}.", got=x, _shape=shape)
        return float((tilt * array + bend * array**2).sum())

    return f, lambda x: tilt + 2 * bend * x


@check("slope.measure", points=2)
def every_slope_is_measured(student, rng):
    """Every number of an array of any shape has its slope, at its own place."""
    for shape in [(1,), (2,), (), (3, 1), (2, 3), (2, 1, 3), (rng.randint(2, 4), rng.randint(2, 4))]:
        f, gradient = bowl(rng, shape)
        x = normal(rng, *shape)
        right = gradient(x)
        got = student.numerical_gradient(f, x.copy())
        expect(
            close(got, right, 1e-3),
            hint="The shape of this input is {shape}. Which slope is wrong, or is it the shape of your result?",
            input=x,
            got=got,
            slopes=right,
            _shape=shape,
        )


@check("slope.measure", points=1)
def both_sides_are_looked_at(student, rng):
    """The slope is the central difference with the step that was asked for."""
    for step in (0.5, 0.25, rng.uniform(0.1, 1)):
        f, gradient = bowl(rng, (1,))
        x = normal(rng, 1)
        right = gradient(x)  # for a parabola the central difference is exact, however large the step
        got = student.numerical_gradient(f, x.copy(), step)
        expect(
            close(got, right, 1e-6),
            hint="At which points, and with which step, does your code evaluate the function?",
            input=(x, step),
            got=got,
            slope=right,
        )


@check("slope.measure", points=1)
def nothing_else_moves(student, rng):
    """While one number moves, all others are as in the input, and afterwards the input is as it was."""
    for size in range(2, 6):
        x = normal(rng, size)
        before, seen = x.copy(), []
        f, _ = bowl(rng, (size,))

        def watched(point, seen=seen, f=f):
            value = f(point)
            seen.append(np.array(point, dtype=np.float64))
            return value

        got = student.numerical_gradient(watched, x, 0.01)
        asked = len(seen) >= size and as_array(got) is not None
        expect(asked, hint="The function was evaluated {times} times.", input=before, got=got, _times=len(seen))
        bad = next((point for point in seen if np.count_nonzero(abs(point - before) > 1e-12) > 1), None)
        expect(bad is None, hint="At this point more than one number has moved.", input=before, point=bad)
        expect(np.array_equal(x, before), hint="Your code has changed its argument.", input=before, afterwards=x)


@check("slope.measure", points=1)
def whole_numbers_have_slopes(student, rng):
    """The slopes at whole numbers are measured like any others."""
    for size in range(1, 5):
        f, gradient = bowl(rng, (size,))
        x = rng.numpy.integers(-3, 4, size)
        right = gradient(x)
        got = student.numerical_gradient(f, x.copy())
        expect(
            close(got, right, 1e-3),
            hint="What happens when you add a small step to an element of an array of whole numbers?",
            input=x,
            got=got,
        )


# 2. Rules of derivation


def tried(student, name, function, g, arrays):
    """Whether the learner's rule gives the exact gradients of `function`, and the evidence."""
    right = exact_gradients(function, g, arrays)
    got = getattr(student, name)(g.copy(), *[array.copy() for array in arrays])
    evidence = {"input": (g, *arrays), "got": got, "_name": name}
    parts = parts_of(got, len(arrays))
    expect(
        parts is not None,
        hint="`{name}` must give back a tuple with {number} array(s).",
        **evidence,
        _number=len(arrays),
    )
    given, wanted = [part.shape for part in parts], [array.shape for array in arrays]
    expect(
        given == wanted,
        hint="`{name}`: the gradients have the shapes {given}, the inputs {wanted}.",
        **evidence,
        _given=given,
        _wanted=wanted,
    )
    return all_close(got, right), evidence


@check("rules.write", points=1)
def the_product_rule_holds(student, rng):
    """The rule of a product is right in every element of both inputs."""
    for shape in [(), (1,), (2,), (2, 3)]:
        arrays = [away_from_zero(rng, *shape) for _ in range(2)]
        holds, evidence = tried(student, "mul_rule", np.multiply, normal(rng, *shape), arrays)
        expect(holds, hint="If only one element of a moves, what happens to that element of a * b?", **evidence)


@check("rules.write", points=2)
def the_matrix_rule_holds(student, rng):
    """The rule of a product of matrices is right in every element, for square matrices and for others."""
    sizes = [(1, 1, 1), (2, 2, 2), (3, 3, 3), (1, 2, 1), (2, 1, 3), (2, 3, 4), [rng.randint(1, 4) for _ in range(3)]]
    for rows, inner, columns in sizes:
        arrays = [normal(rng, rows, inner), normal(rng, inner, columns)]
        holds, evidence = tried(student, "matmul_rule", np.matmul, normal(rng, rows, columns), arrays)
        expect(holds, hint="Write your result with indices again, and compare it with the sum in the text.", **evidence)


@check("rules.write", points=1)
def exponential_and_logarithm_hold(student, rng):
    """The rules of the exponential and of the logarithm are right in every element."""
    for shape in [(), (1,), (3,), (2, 2)]:
        a, g = np.asarray(abs(away_from_zero(rng, *shape))), normal(rng, *shape)
        for name, function in [("exp_rule", np.exp), ("log_rule", np.log)]:
            holds, evidence = tried(student, name, function, g, [a])
            expect(holds, hint="`{name}`: what is the derivative, and where does `g` come in?", **evidence)


@check("rules.write", points=1)
def the_sum_reaches_every_element(student, rng):
    """The rule of a sum hands the right number over to every element that was added."""
    for shape, axis in [((1,), None), ((3,), None), ((2, 3), None), ((2, 3), 1), ((2, 3), 0), ((2, 2, 3), 1)]:

        def added(a, axis=axis):
            return a.sum(axis=axis, keepdims=axis is not None)

        a = normal(rng, *shape)
        holds, evidence = tried(student, "sum_rule", added, normal(rng, *np.shape(added(a))), [a])
        expect(holds, hint="Which element of `g` belongs to which elements of `a`?", **evidence)


@check("rules.write", points=1)
def rules_change_nothing(student, rng):
    """No rule changes the arrays that it is given."""
    for name, number in [("mul_rule", 2), ("matmul_rule", 2), ("exp_rule", 1), ("log_rule", 1), ("sum_rule", 1)]:
        given = [rng.numpy.uniform(2, 3, (2, 2)) for _ in range(number + 1)]
        before = [array.copy() for array in given]
        got = getattr(student, name)(*given)
        expect(parts_of(got, number) is not None, hint="`{name}` must give back a tuple.", got=got, _name=name)
        same = all(np.array_equal(*pair) for pair in zip(given, before, strict=True))
        expect(
            same,
            hint="`{name}` changes an array of its caller, which others still need. Which line does it?",
            input=before,
            afterwards=given,
            _name=name,
        )


# 3. Undo the stretching


def copies_added(g, shape):
    """For each number of a small array, the sum of `g` over the places where numpy copies it to."""
    numbers = np.arange(math.prod(shape)).reshape(shape)
    copied = np.broadcast_to(numbers, g.shape)
    return np.bincount(copied.ravel(), g.ravel(), math.prod(shape)).reshape(shape)


def unstretched(student, g, shape):
    right = copies_added(g, shape)
    got = student.unbroadcast(g.copy(), shape)
    array = as_array(got)
    evidence = {"input": (g, shape), "got": got}
    expect(array is not None, hint="Give back an array.", **evidence)
    expect(
        array.shape == shape,
        hint="Your result has the shape {given}, and {wanted} was asked for.",
        **evidence,
        _given=array.shape,
        _wanted=shape,
    )
    expect(
        np.allclose(array, right, 1e-9, 1e-9),
        hint="Stretch an array of the shape {wanted} to {large} on paper. Where does each of its numbers go?",
        **evidence,
        _wanted=shape,
        _large=g.shape,
    )


@check("shape.unbroadcast", points=3)
def it_is_the_adjoint_of_stretching(student, rng):
    """Every number gets the sum of `g` over the places to which numpy copies it, for all shapes."""
    pairs = [((1,), (2,)), ((), (2,)), ((2,), (2, 2)), ((2, 1), (2, 2)), ((1, 2), (2, 2)), ((1,), (2, 3))]
    pairs += [((3, 1), (2, 3, 4)), ((1, 1), (2, 3)), ((1,), (1, 1, 2)), ((1, 2), (3, 1, 2))]
    for _ in range(20):
        large = tuple(rng.randint(1, 3) for _ in range(rng.randint(1, 4)))
        small = tuple(1 if rng.random() < 0.4 else size for size in large[rng.randint(0, len(large)) :])
        pairs.append((small, large))
    for shape, large in sorted(pairs, key=lambda pair: (len(pair[1]), math.prod(pair[1]))):
        if shape != large:
            unstretched(student, normal(rng, *large), shape)


@check("shape.unbroadcast", points=1)
def without_stretching_nothing_is_added(student, rng):
    """If the shapes are equal, every element stays as it is."""
    for shape in [(2,), (1,), (), (2, 3), (3, 1), (1, 2, 1), tuple(rng.randint(2, 4) for _ in range(3))]:
        unstretched(student, normal(rng, *shape), shape)


# 4. Gradients at the leaves


def tanh_slope(value):
    return 1 - np.tanh(value) ** 2


def grad_of(leaf, after):
    """The gradient of a leaf, after a look at what it is."""
    got = leaf.grad
    expect(as_array(got) is not None, hint="Afterwards `leaf.grad` should be an array.", input=after, got=got)
    return as_array(got)


@check("grad.collect", points=2)
def all_parts_are_added(student, rng):
    """The gradient of a leaf is the sum of all parts that have arrived since it was forgotten."""
    for times in range(1, 6):
        value = normal(rng, 2)
        leaf = student.Tensor(value)
        story = f"{times} times backward from tanh(tanh(a)), with other cotangents"
        right = np.zeros(2)
        for _ in range(times):
            weights = normal(rng, 2)
            right += weights * tanh_slope(np.tanh(value)) * tanh_slope(value)
            student.backward_by_paths(leaf.tanh().tanh(), weights, student.collect)
        got = grad_of(leaf, story)
        expect(close(got, right), hint="Which of the parts is missing from the sum?", input=story, got=got, sum=right)
    value, weights = normal(rng, 3), normal(rng, 3)
    leaf = student.Tensor(value)
    once = leaf.tanh()
    student.backward_by_paths(once.add(once.tanh()), weights, student.collect)
    got = grad_of(leaf, "b + tanh(b) with b = tanh(a)")
    right = weights * (1 + tanh_slope(np.tanh(value))) * tanh_slope(value)
    expect(close(got, right), hint="Two paths lead to this leaf.", input="b + tanh(b) with b = tanh(a)", got=got)


@check("grad.collect", points=1)
def every_leaf_has_an_array_of_its_own(student, rng):
    """A part that arrives at one leaf changes neither the gradient of another leaf nor the cotangent."""
    for size in range(1, 4):
        leaves = [student.Tensor(normal(rng, size)) for _ in range(2)]
        weights = away_from_zero(rng, size)
        before = weights.copy()
        student.backward_by_paths(leaves[0].add(leaves[1]), weights, student.collect)
        student.backward_by_paths(leaves[0].tanh().tanh(), away_from_zero(rng, size), student.collect)
        story = "backward from a + b, then from tanh(tanh(a))"
        got = grad_of(leaves[1], story)
        expect(
            close(got, before),
            hint="Both leaves were given the same array by `add_rule`. Is the one that you keep your own?",
            input=story,
            cotangent=before,
            gradient_of_b=got,
        )
        expect(np.array_equal(weights, before), hint="The cotangent has changed.", input=before, afterwards=weights)


@check("grad.collect", points=1)
def zero_forgets_every_leaf(student, rng):
    """After `zero_grad`, the gradient of every leaf is that of the next time alone, and the data are as before."""
    for number in range(1, 4):
        values = [normal(rng, 2) for _ in range(number)]
        leaves = [student.Tensor(value) for value in values]
        for leaf in leaves[1:]:  # nothing has arrived at the first
            student.backward_by_paths(leaf.tanh(), normal(rng, 2), student.collect)
        student.zero_grad(*leaves)
        story = f"zero_grad with {number} leaves, then backward from tanh of each"
        for leaf, value in zip(leaves, values, strict=True):
            weights = away_from_zero(rng, 2)
            right = weights * tanh_slope(value)
            student.backward_by_paths(leaf.tanh(), weights, student.collect)
            got = grad_of(leaf, story)
            expect(close(got, right), hint="What has `zero_grad` left behind?", input=story, got=got, gradient=right)
            expect(close(leaf.data, value), hint="The parameters are still needed.", input=story, got=leaf.data)


# 5. Each node once. The operations of random graphs, and their rules; all arrays are square matrices of one size.

OPERATIONS = {
    "add": (lambda a, b: a + b, None),  # done by the learner's Tensor, whose rule hands over one array twice
    "mul": (lambda a, b: a * b, lambda g, a, b: [g * b, g * a]),
    "matmul": (lambda a, b: a @ b, lambda g, a, b: [g @ b.T, a.T @ g]),
    "tanh": (lambda a: np.tanh(a), lambda g, a: [g * tanh_slope(a)]),
    "turn": (lambda a: a.T, lambda g, a: [g.T.copy()]),
    "halve": (lambda a: a / 2, lambda g, a: [g / 2]),
}
BINARY = ("add", "mul", "matmul")


def random_graph(rng, size):
    """`size` operations on the nodes before them, as (name, number, number); nodes 0 and 1 are the leaves."""
    graph = []
    for place in range(2, 2 + size):
        name = rng.choice([*OPERATIONS, "add"])
        operands = [rng.randrange(place) for _ in range(1 + (name in BINARY))]
        operands[0] = place - 1 if rng.random() < 0.7 else operands[0]
        graph.append((name, *operands))
    return graph


def output_of(graph, arrays):
    """The value of the last node."""
    values = list(arrays)
    for name, *operands in graph:
        values.append(OPERATIONS[name][0](*[values[operand] for operand in operands]))
    return values[-1]


def reached(graph):
    """The nodes on which the last node depends, itself included; without operations, the leaf 1 is the output."""
    found = {len(graph) + 1}
    for place in range(len(graph) + 1, 1, -1):
        if place in found:
            found.update(graph[place - 2][1:])
    return found


class Counter:
    """How often rules were called."""

    calls = 0


def built(student, graph, leaves, counter):
    """The learner's tensors for `graph`, the last of them the output."""
    nodes, values = list(leaves), [np.array(leaf.data) for leaf in leaves]
    for name, *operands in graph:
        arrays = [values[operand] for operand in operands]
        function, rule = OPERATIONS[name]
        values.append(function(*arrays))
        if rule is None:
            nodes.append(nodes[operands[0]].add(nodes[operands[1]]))
            continue

        def watched(g, rule=rule, arrays=arrays):
            array = as_array(g)
            fits = array is not None and array.shape == arrays[0].shape
            expect(fits, hint="A rule takes the gradient of its node, an array of the node's shape.", got=g)
            counter.calls += 1
            return rule(array, *arrays)

        nodes.append(student.Tensor(values[-1], *[nodes[operand] for operand in operands], rule=watched))
    return nodes[-1]


def asked(student, output, weights, leaves, graph):
    """The learner's gradients, after a look at what they are."""
    got = student.gradients(output, weights.copy(), *leaves)
    expect(
        parts_of(got, len(leaves)) is not None,
        hint="Give back a list with one array for each leaf: here {number}.",
        input=graph,
        got=got,
        _number=len(leaves),
    )
    return got


@check("graph.backward", points=3)
def gradients_of_random_graphs_are_right(student, rng):
    """In a random graph with shared nodes, every element of every gradient is right."""
    graphs = [[], [("add", 0, 1)], [("add", 0, 0)], [("mul", 0, 0)], [("halve", 0), ("add", 0, 2)]]
    graphs += [[("add", 0, 1), ("add", 2, 0)], [("tanh", 0), ("mul", 0, 1), ("add", 2, 0), ("mul", 4, 3)]]
    graphs += [[("tanh", 0), ("halve", 2), ("add", 2, 3)], [("tanh", 0), ("halve", 2), ("add", 3, 2)]]
    graphs += [random_graph(rng, size) for size in range(2, 11) for _ in range(2)]
    for graph in graphs:
        size = rng.randint(1, 2) if len(graph) < 5 else 2
        values = [normal(rng, size, size) / 2 for _ in range(2)]
        leaves = [student.Tensor(value) for value in values]
        weights = normal(rng, size, size)
        used = [number for number in (0, 1) if number in reached(graph)]
        right = exact_gradients(lambda *arrays, graph=graph: output_of(graph, arrays), weights, values)
        output = built(student, graph, leaves, Counter()) if graph else leaves[1]
        got = asked(student, output, weights, [leaves[number] for number in used], graph)
        expect(
            all_close(got, [right[number] for number in used], 1e-7),
            hint="Draw this graph: 0 and 1 are the leaves, each entry makes the next node. Which node goes too early?",
            input=graph,
            leaves=used,
            got=got,
            gradients=[right[number] for number in used],
        )


@check("graph.backward", points=1)
def each_rule_is_called_once(student, rng):
    """However many paths lead through a node, its rule is called once."""
    for depth in range(1, 9):
        graph = [(rng.choice(["halve", "tanh"]), 0)]
        for _ in range(depth):
            last = len(graph) + 1
            graph += [("halve", last), ("add", last, last + 1)]
        leaves = [student.Tensor(rng.numpy.uniform(0.1, 1, (1, 1))) for _ in range(2)]
        counter = Counter()
        got = asked(student, built(student, graph, leaves, counter), np.ones((1, 1)), leaves[:1], graph)
        rules = sum(name != "add" for name, *_ in graph)
        expect(
            counter.calls <= rules,
            hint="This graph has {rules} rules, not counting those of `add`, and they were called {calls} times.",
            input=graph,
            _rules=rules,
            _calls=counter.calls,
        )
        arrived = close(abs(np.sign(as_array(got[0]))), np.ones((1, 1)))
        expect(arrived, hint="Nothing arrives at the leaf.", input=graph, got=got)


@check("graph.backward", points=1, seconds=20)
def long_chains_work(student, rng):
    """A chain of thousands of nodes, one behind the other, is no problem."""
    for length in (10, 5000):
        leaf = student.Tensor([rng.uniform(0.5, 2)])
        weights = away_from_zero(rng, 1)
        story = f"0.5 added {length} times"
        got = asked(student, student.chain(leaf, length), weights, [leaf], story)
        expect(all_close(got, [weights]), hint="What arrives at the leaf?", input=story, got=got, gradient=weights)


@check("graph.backward", points=1)
def a_leaf_without_influence_gets_zeros(student, rng):
    """A leaf on which the output does not depend gets zeros of its own shape."""
    for shape in [(1,), (3,), (), (2, 3)]:
        value, weights = normal(rng, 2), away_from_zero(rng, 2)
        leaf, idle = student.Tensor(value), student.Tensor(normal(rng, *shape))
        got = student.gradients(leaf.tanh(), weights.copy(), leaf, idle)
        right = [weights * tanh_slope(value), np.zeros(shape)]
        expect(
            all_close(got, right),
            hint="The output is tanh(a); the other leaf has the shape {shape}. Does the output change with it?",
            input=(value, weights),
            got=got,
            _shape=shape,
        )


@check("graph.backward", points=1)
def asking_again_gives_the_same(student, rng):
    """The gradients are the same when they are asked for again, and neither cotangent nor leaf has changed."""
    for times in (2, 3):
        values, weights = [normal(rng, 2) for _ in range(2)], away_from_zero(rng, 2)
        before = weights.copy()
        leaves = [student.Tensor(value) for value in values]
        output = leaves[0].tanh().tanh().add(leaves[1].tanh())
        right = [before * tanh_slope(np.tanh(values[0])) * tanh_slope(values[0]), before * tanh_slope(values[1])]
        for number in range(1, times + 1):
            got = student.gradients(output, weights, *leaves)
            expect(
                all_close(got, right),
                hint="This is time number {number}. What has the time before left behind?",
                input="tanh(tanh(a)) + tanh(b)",
                got=got,
                gradients=right,
                _number=number,
            )
            expect(np.array_equal(weights, before), hint="The cotangent has changed.", input=before, got=weights)
            same = all(close(leaf.data, value) for leaf, value in zip(leaves, values, strict=True))
            expect(same, hint="The data of a leaf have changed.", input=values, got=[leaf.data for leaf in leaves])


# 6. Check the gradients


def measure(f, x):
    """The gradient of `f` at `x` by central differences, as a learner's function gets it."""
    point = as_array(x)
    expect(point is not None, hint="The second argument of `measure` is an array.", got=x)
    slopes = np.empty(point.shape)
    for place in np.ndindex(point.shape):
        values = []
        for move in (1e-5, -1e-5):
            moved = point.copy()
            moved[place] += move
            value = as_array(f(moved))
            fits = value is not None and value.size == 1
            expect(fits, hint="`measure` takes a function that gives one number.", got=value)
            values.append(float(value.reshape(())))
        slopes[place] = (values[0] - values[1]) / 2e-5
    return slopes


def near(arrays, inputs, distance):
    """Whether a learner has called a function with arrays near the inputs that were given."""
    found = [as_array(array) for array in arrays]
    if len(found) != len(inputs) or any(array is None for array in found):
        return False
    pairs = list(zip(found, inputs, strict=True))
    return all(a.shape == b.shape and np.all(abs(a - b) <= distance) for a, b in pairs)


def verdict(student, function, rule, inputs):
    """What the learner says of a rule."""
    kept = [array.copy() for array in inputs]

    def watched_function(*arrays):
        around = near(arrays, kept, 0.5)
        expect(around, hint="The function is evaluated at inputs near the given ones.", input=kept, got=arrays)
        return function(*[as_array(array) for array in arrays])

    def watched_rule(g, *arrays):
        output = function(*kept)
        weights = as_array(g)
        fits = weights is not None and weights.shape == output.shape
        expect(fits, hint="The cotangent has the shape of the output: {shape}.", got=g, _shape=output.shape)
        expect(near(arrays, kept, 0), hint="The rule takes the cotangent and the inputs.", input=kept, got=arrays)
        return rule(weights, *kept)

    got = student.rule_agrees(watched_function, watched_rule, [array.copy() for array in inputs], measure)
    expect(isinstance(got, (bool, np.bool_)), hint="Give back True or False.", input=inputs, got=got)
    return bool(got)


def flagged(student, function, right, wrong, inputs, mistake):
    """Whether the learner flags the wrong rule, and the evidence; the right rule of the function must pass."""
    passed = verdict(student, function, right, inputs)
    expect(passed, hint="The function is smooth, and this rule is right.", input=inputs, got=passed)
    got = verdict(student, function, wrong, inputs)
    return not got, {"input": inputs, "got": got, "rule": mistake}


def square_rule(g, a):
    return (2 * a * g,)


def product_rule(g, a, b):
    return g * b, g * a


@check("rule.check", points=1)
def right_rules_pass(student, rng):
    """Right rules pass: with several inputs, with very large gradients, and with shapes that are stretched."""
    for _ in range(3):
        a, b, row = normal(rng, 2, 3), normal(rng, 3, 2), away_from_zero(rng, 3)
        cases = [
            ("a @ b", lambda a, b: a @ b, lambda g, a, b: (g @ b.T, a.T @ g), [a, b]),
            ("1e8 * a²", lambda a: 1e8 * a**2, lambda g, a: (2e8 * a * g,), [away_from_zero(rng, 2, 2)]),
            ("a * row", lambda a, row: a * row, lambda g, a, row: (g * row, (g * a).sum(axis=0)), [a, row]),
        ]
        for name, function, rule, inputs in cases:
            got = verdict(student, function, rule, inputs)
            expect(
                got,
                hint="This rule is right. How exact is the measurement, compared with the size of the gradient?",
                function=name,
                input=inputs,
                got=got,
            )


@check("rule.check", points=1)
def one_wrong_element_is_found(student, rng):
    """A rule that is wrong in a single element is found, wherever that element is."""
    a = away_from_zero(rng, 2, 3)
    for place in np.ndindex(a.shape):

        def wrong(g, a, place=place):
            gradient = 2 * a * g
            gradient[place] *= 1.5
            return (gradient,)

        mistake = f"wrong in the element {place} only"
        found, evidence = flagged(student, lambda a: a**2, square_rule, wrong, [a], mistake)
        expect(found, hint="How many elements of this gradient does your code compare?", **evidence)


@check("rule.check", points=1)
def every_input_is_looked_at(student, rng):
    """A rule that is wrong for one of its inputs is found, whichever it is."""
    inputs = [away_from_zero(rng, 2) for _ in range(3)]
    for number in range(3):

        def right(g, a, b, c):
            return g * b * c, g * a * c, g * a * b

        def wrong(g, a, b, c, number=number):
            parts = list(right(g, a, b, c))
            parts[number] = -parts[number]
            return tuple(parts)

        mistake = f"wrong sign for input number {number + 1}"
        found, evidence = flagged(student, lambda a, b, c: a * b * c, right, wrong, inputs, mistake)
        expect(found, hint="Which gradients of the tuple does your code compare?", **evidence)


@check("rule.check", points=1)
def a_forgotten_cotangent_is_found(student, rng):
    """A rule that does not use the gradient of its output, or uses only its sum, is found."""
    for size in range(2, 5):
        a = away_from_zero(rng, size)
        cases = [
            ("the cotangent is not used", lambda g, a: (2 * a,)),
            ("only the mean of the cotangent is used", lambda g, a: (2 * a * g.mean(),)),
        ]
        for mistake, wrong in cases:
            found, evidence = flagged(student, lambda a: a**2, square_rule, wrong, [a], mistake)
            expect(found, hint="Which cotangent makes this rule look right?", **evidence)


@check("rule.check", points=1)
def a_wrong_shape_is_found(student, rng):
    """A rule that gives the right numbers in a wrong shape is found."""
    for size in range(2, 5):
        a = away_from_zero(rng, size)
        cases = [
            (f"the gradient has the shape (1, {size}), not ({size},)", lambda g, a: ((2 * a * g)[None],)),
            (f"the gradient has the shape (1, 1, {size}), not ({size},)", lambda g, a: ((2 * a * g)[None, None],)),
        ]
        for mistake, wrong in cases:
            found, evidence = flagged(student, lambda a: a**2, square_rule, wrong, [a], mistake)
            expect(found, hint="What does numpy do when you compare arrays of different shapes?", **evidence)


@check("rule.check", points=1)
def not_a_number_is_found(student, rng):
    """A rule that gives `nan` somewhere is found."""
    a = away_from_zero(rng, 3)
    for place in range(3):

        def wrong(g, a, place=place):
            gradient = 2 * a * g
            gradient[place] = np.nan
            return (gradient,)

        found, evidence = flagged(student, lambda a: a**2, square_rule, wrong, [a], f"nan in the element {place}")
        expect(found, hint="What does Python say to `nan > 1`, and what to `nan <= 1`?", **evidence)


@check("rule.check", points=1)
def small_gradients_are_looked_at(student, rng):
    """A wrong rule is found even if all gradients are small."""
    for factor in (1e-2, 1e-3, 1e-5):
        a = away_from_zero(rng, 6)
        right, wrong = (lambda g, a, k=k * factor: (k * a * g,) for k in (2, 1))
        mistake = f"of {factor} * a²; the 2 of the derivative is missing"
        found, evidence = flagged(student, lambda a, f=factor: f * a**2, right, wrong, [a], mistake)
        expect(found, hint="Compare the difference with the size of the gradient, as in the text.", **evidence)


# 7. The loss


def surprise(shares, left, right, bias):
    """The average surprise, pair by pair."""
    total = 0.0
    for i, j in np.ndindex(shares.shape):
        scores = [left[i, 0] * right[0, k] + bias[k] for k in range(len(bias))]
        total -= shares[i, j] * (scores[j] - math.log(math.fsum(math.exp(score) for score in scores)))
    return total


def random_model(rng, size):
    """Shares and parameters for `size` signs."""
    shares = rng.numpy.uniform(0, 1, (size, size)) ** 2
    return shares / shares.sum(), normal(rng, size, 1), normal(rng, 1, size), normal(rng, size)


@check("letters.loss", points=2)
def the_surprise_is_right(student, rng):
    """The loss is the average surprise over all pairs, for both kinds of tensors."""
    import torch

    for size in [1, 2, 2, 3, 4, rng.randint(5, 8)]:
        arrays = random_model(rng, size)
        right = surprise(*arrays)
        for kind, make in [("Tensor", student.Tensor), ("torch.Tensor", torch.tensor)]:
            got = student.letter_loss(*[make(array.copy()) for array in arrays])
            value = as_array(got.data if hasattr(got, "data") else got)
            if isinstance(got, torch.Tensor):
                value = as_array(got.detach().numpy())
            evidence = {"input": arrays, "kind": kind, "got": got if value is None else value}
            expect(
                value is not None and value.shape == (), hint="Give back a tensor that holds one number.", **evidence
            )
            expect(
                math.isclose(value, right, rel_tol=1e-6, abs_tol=1e-9),
                hint="Here the surprise is {right}. Compute the probabilities of one row: do they add up to 1?",
                **evidence,
                _right=round(right, 4),
            )


@check("letters.loss", points=1)
def every_parameter_is_recorded(student, rng):
    """The loss remembers that it was computed from all three parameters."""
    names = ["shares", "left", "right", "bias"]
    for size in (2, 3):
        tensors = [student.Tensor(a, name=n) for a, n in zip(random_model(rng, size), names, strict=True)]
        loss = student.letter_loss(*tensors)
        expect(hasattr(loss, "parents"), hint="Give back a Tensor.", got=loss)
        found, waiting = set(), [loss]
        for _ in range(1000):
            if waiting:
                node = waiting.pop()
                found.add(node.name)
                waiting.extend(node.parents)
        missing = [name for name in names[1:] if name not in found]
        expect(
            not missing,
            hint="No path leads from the loss back to {missing}. Which operation was not recorded?",
            got=sorted(name for name in found if name),
            _missing=missing,
        )


# 8. The same idea in PyTorch


def torch_cases(rng):
    """Functions that work for tensors of torch and for arrays of numpy, with arrays for them, the smallest first."""
    positive = abs(away_from_zero(rng, 2))
    table, row, wide = away_from_zero(rng, 2, 3), away_from_zero(rng, 3), away_from_zero(rng, 3, 4)
    return [
        ("a / b", operator.truediv, [away_from_zero(rng, 1), away_from_zero(rng, 1)]),
        ("a ** b", operator.pow, [positive, away_from_zero(rng, 2)]),
        ("a @ b", operator.matmul, [table, wide]),
        ("a * b", operator.mul, [table, row]),
    ]


def by_torch(student, function, weights, arrays):
    got = student.torch_gradients(function, weights.copy(), *[array.copy() for array in arrays])
    expect(
        parts_of(got, len(arrays)) is not None,
        hint="Give back a list of {number} numpy array(s).",
        input=(weights, *arrays),
        got=got,
        _number=len(arrays),
    )
    return got


@check("torch.gradients", points=2)
def torch_weighs_with_the_cotangent(student, rng):
    """The gradients are those of the output weighted with the cotangent, in every element."""
    for name, function, arrays in torch_cases(rng):
        weights = away_from_zero(rng, *function(*arrays).shape)
        right = exact_gradients(function, weights, arrays)
        got = by_torch(student, function, weights, arrays)
        expect(
            all_close(got, right, 1e-4),
            hint="Compute one element by hand. Does the cotangent take part?",
            function=name,
            input=(weights, *arrays),
            got=got,
        )


@check("torch.gradients", points=1)
def torch_computes_in_64_bits(student, rng):
    """The gradients have the precision of 64 bits."""
    for name, function, arrays in torch_cases(rng):
        weights = np.ones(function(*arrays).shape)
        right = exact_gradients(function, weights, arrays)
        got = by_torch(student, function, weights, arrays)
        expect(
            all_close(got, right, 1e-12),
            hint="How many digits of this are right? Which dtype do your tensors have?",
            function=name,
            input=arrays,
            got=got,
            gradients=right,
        )


@check("torch.gradients", points=1)
def torch_gives_zeros_without_influence(student, rng):
    """An array on which the output does not depend gets zeros of its shape."""
    for shape in [(1,), (2, 3), ()]:
        arrays = [away_from_zero(rng, 2), normal(rng, *shape)]
        right = [2 * arrays[0], np.zeros(shape)]
        got = student.torch_gradients(student.square_of_first, np.ones(2), *[array.copy() for array in arrays])
        expect(
            all_close(got, right, 1e-4),
            hint="The output is a * a. What does torch say about the gradient of `b`?",
            input=arrays,
            got=got,
        )
