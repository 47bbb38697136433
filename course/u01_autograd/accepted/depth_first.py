# Sorts the graph depth first with a list, writes rules with einsum, and checks gradients along random directions.
# %% exercise="slope.measure"
def numerical_gradient(f, x, step=1e-5):
    flat = np.asarray(x, dtype=float).ravel()
    moves = step * np.eye(flat.size)
    slopes = [(f((flat + m).reshape(np.shape(x))) - f((flat - m).reshape(np.shape(x)))) / (2 * step) for m in moves]
    return np.array(slopes, dtype=float).reshape(np.shape(x))


# %% exercise="rules.write"
def mul_rule(g, a, b):
    return [b * g, a * g]


def matmul_rule(g, a, b):
    return [np.einsum("ij,kj->ik", g, b), np.einsum("ij,ik->kj", g, a)]


def exp_rule(g, a):
    y = np.exp(a)
    return [y * g]


def log_rule(g, a):
    return [g * a**-1.0]


def sum_rule(g, a):
    return [g * np.ones(a.shape)]


# %% exercise="shape.unbroadcast"
def unbroadcast(g, shape):
    while g.ndim > len(shape):
        g = g.sum(axis=0)
    for axis, size in enumerate(shape):
        if size == 1 and g.shape[axis] > 1:
            g = g.sum(axis=axis, keepdims=True)
    return g


# %% exercise="grad.collect"
def collect(leaf, g):
    if leaf.grad is None:
        leaf.grad = np.zeros(leaf.data.shape)
    leaf.grad += g


def zero_grad(*leaves):
    for leaf in leaves:
        leaf.grad = np.zeros(leaf.data.shape)


# %% exercise="graph.backward"
def gradients(output, cotangent, *leaves):
    order, seen = [], set()
    stack = [(output, False)]
    while stack:
        node, finished = stack.pop()
        if finished:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((parent, False) for parent in node.parents)
    total = {id(node): np.zeros(node.data.shape) for node in order}
    total[id(output)] = total[id(output)] + cotangent
    for node in reversed(order):
        if node.rule is not None:
            for parent, part in zip(node.parents, node.rule(total[id(node)].copy()), strict=True):
                total[id(parent)] += part
    return tuple(total.get(id(leaf), np.zeros(leaf.data.shape)) for leaf in leaves)


# %% exercise="rule.check"
def rule_agrees(function, rule, inputs, measure):
    output = function(*inputs)
    g = np.random.standard_normal(np.shape(output))
    claimed = rule(g, *inputs)
    if [np.shape(part) for part in claimed] != [np.shape(x) for x in inputs]:
        return False
    for place, x in enumerate(inputs):
        for _ in range(3):
            direction = np.random.standard_normal(x.shape)
            above, below = ([*inputs[:place], x + h * direction, *inputs[place + 1 :]] for h in (1e-5, -1e-5))
            slope = ((g * function(*above)).sum() - (g * function(*below)).sum()) / 2e-5
            said = (claimed[place] * direction).sum()
            if not abs(said - slope) <= 1e-6 + 1e-4 * abs(slope):
                return False
    return True


# %% exercise="letters.loss"
def letter_loss(shares, left, right, bias):
    scores = bias + left @ right
    logs = scores.exp().sum(axis=1, keepdims=True).log()
    return (shares.sum(axis=1, keepdims=True) * logs).sum() - (scores * shares).sum()


# %% exercise="torch.gradients"
def torch_gradients(function, cotangent, *arrays):
    tensors = [torch.from_numpy(np.array(array, dtype=np.float64)).requires_grad_() for array in arrays]
    function(*tensors).backward(torch.from_numpy(np.array(cotangent, dtype=np.float64)))
    return [np.zeros(t.shape) if t.grad is None else t.grad.numpy() for t in tensors]
