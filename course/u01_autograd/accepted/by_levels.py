# Gives each node a level above its parents, undoes broadcasting by counting copies, and asks PyTorch number by number.
# %% exercise="slope.measure"
def numerical_gradient(f, x, step=1e-5):
    x = np.asarray(x)
    slopes = np.zeros_like(x, dtype=np.float64)
    iterator = np.nditer(x, flags=["multi_index", "zerosize_ok"])
    for _ in iterator:
        mask = np.zeros(x.shape)
        mask[iterator.multi_index] = step
        slopes[iterator.multi_index] = (f(x + mask) - f(x - mask)) / step / 2
    return slopes


# %% exercise="rules.write"
def mul_rule(g, a, b):
    return np.multiply(g, b), np.multiply(g, a)


def matmul_rule(g, a, b):
    of_a = sum(np.outer(g[:, j], b[:, j]) for j in range(g.shape[1]))
    of_b = sum(np.outer(a[i], g[i]) for i in range(g.shape[0]))
    return of_a, of_b


def exp_rule(g, a):
    return (np.exp(a) * g,)


def log_rule(g, a):
    return (np.divide(g, a),)


def sum_rule(g, a):
    return (np.zeros(a.shape) + g,)


# %% exercise="shape.unbroadcast"
def unbroadcast(g, shape):
    result = np.zeros(shape)
    places = np.broadcast_to(np.arange(result.size).reshape(shape), g.shape)
    np.add.at(result.reshape(-1), places, g)
    return result


# %% exercise="grad.collect"
def collect(leaf, g):
    before = 0 if leaf.grad is None else leaf.grad
    leaf.grad = before + g


def zero_grad(*leaves):
    for leaf in leaves:
        leaf.grad = 0 * leaf.data


# %% exercise="graph.backward"
def gradients(output, cotangent, *leaves):
    level = {}
    stack = [output]
    while stack:
        node = stack[-1]
        missing = [parent for parent in node.parents if parent not in level]
        if missing:
            stack += missing
        else:
            level[node] = 1 + max((level[parent] for parent in node.parents), default=0)
            stack.pop()
    parts = {node: [] for node in level}
    parts[output].append(np.asarray(cotangent))
    result = {}
    for node in sorted(level, key=level.get, reverse=True):
        result[node] = sum(parts[node], np.zeros(node.data.shape))
        if node.parents:
            for parent, part in zip(node.parents, node.rule(result[node]), strict=True):
                parts[parent].append(part)
    return [result[leaf] if leaf in result else np.zeros_like(leaf.data) for leaf in leaves]


# %% exercise="rule.check"
def rule_agrees(function, rule, inputs, measure):
    weights = np.random.default_rng(7).uniform(1, 2, np.shape(function(*inputs)))
    answers = rule(weights, *inputs)
    verdicts = []
    for number in range(len(inputs)):

        def f(x, number=number):
            arrays = list(inputs)
            arrays[number] = x
            return np.sum(weights * function(*arrays))

        measured = measure(f, inputs[number])
        same_shape = np.shape(answers[number]) == np.shape(measured)
        verdicts.append(same_shape and np.allclose(answers[number], measured, rtol=1e-4, atol=1e-6))
    return all(verdicts)


# %% exercise="letters.loss"
def letter_loss(shares, left, right, bias):
    weights = (left @ right + bias).exp()
    totals = weights.sum(axis=1, keepdims=True)
    probabilities = weights * (-totals.log()).exp()
    return (shares * -probabilities.log()).sum()


# %% exercise="torch.gradients"
def torch_gradients(function, cotangent, *arrays):
    found = []
    for number, array in enumerate(arrays):
        tensors = [torch.as_tensor(np.asarray(other, dtype=np.float64)) for other in arrays]
        tensors[number] = tensors[number].clone().requires_grad_(True)
        output = (function(*tensors) * torch.as_tensor(cotangent)).sum()
        if output.requires_grad:
            output.backward()
        gradient = tensors[number].grad
        found.append(np.zeros(np.shape(array)) if gradient is None else gradient.detach().numpy())
    return found
