# Computes the averages as weighted sums divided by the sum of the weights; numpy instead of torch where it can.
# %% exercise="sgd.step"
def sgd_step(params, grads, state, lr, momentum=0.0):
    def direction(grad, before):
        if grad is None:
            return before
        return -grad if before is None else momentum * before - grad

    state = [direction(grad, before) for grad, before in zip(grads, state, strict=True)]
    moved = [param if grad is None else param + lr * way for param, grad, way in zip(params, grads, state, strict=True)]
    return moved, state


# %% exercise="batches.shuffle"
import numpy as np


def epoch_batches(count, size, seed, epoch):
    order = np.random.default_rng([seed, epoch]).permutation(count)
    return np.split(order, range(size, count, size))


# %% exercise="training.loop"
def train(params, batches, gradient, step, schedule, clip):
    state, losses, left = [None for _ in params], [], iter(batches)
    while (batch := next(left, None)) is not None:
        loss, grads = gradient(params, batch)
        losses = [*losses, loss]
        if loss != loss or abs(loss) == float("inf"):
            return params, losses
        params, state = step(params, clip(grads)[0], state, schedule(len(losses) - 1))
    return params, losses


# %% exercise="adamw.step"
def adamw_step(params, grads, state, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    def add(total, beta, value):
        return total[0] * beta + value, total[1] * beta + 1

    moved, memory = [], []
    for param, grad, old in zip(params, grads, state, strict=True):
        if grad is None:
            moved.append(param)
            memory.append(old)
            continue
        first, second = old or ((0, 0), (0, 0))
        first, second = add(first, betas[0], grad), add(second, betas[1], grad * grad)
        direction = first[0] / first[1] / ((second[0] / second[1]) ** 0.5 + eps)
        moved.append(param - lr * (weight_decay * param + direction))
        memory.append((first, second))
    return moved, memory


# %% exercise="gradients.clip"
import numpy as np


def clip_gradients(grads, limit):
    flat = [np.zeros(1)] + [grad.numpy().ravel() for grad in grads if grad is not None]
    norm = np.linalg.norm(np.concatenate(flat))
    factor = limit / norm if norm >= limit else 1
    return tuple(grad if grad is None else grad * float(factor) for grad in grads), norm


# %% exercise="rate.schedule"
import numpy as np


def learning_rate(step, peak, warmup, total, floor=0.0):
    if warmup > 0 and step <= warmup:
        return np.interp(step, [0, warmup], [0, peak])
    angle = np.interp(step, [warmup, total], [0, np.pi / 2])
    return peak * np.cos(angle) ** 2 + floor * np.sin(angle) ** 2


# %% exercise="training.diagnose"
import numpy as np


def diagnose(train_losses, valid_losses):
    epochs = np.array(train_losses).reshape(len(valid_losses), -1)
    end = np.median(epochs[-2:])
    if not np.isfinite(epochs).all() or end > 3 * train_losses[0]:
        return "diverging"
    late = epochs[1:]
    if len({int(row.argmax()) for row in late}) <= 2 and late.mean() > 3 * np.median(late):
        return "not shuffled"
    if end > 0.9 * train_losses[0]:
        return "too slow"
    return "overfitting" if valid_losses[-1] > 1.4 * np.min(valid_losses) else "healthy"


# %% exercise="training.tune"
def settings_for(steps):
    return {"method": "adamw", "lr": 0.02 + 2 / steps, "weight_decay": 0.0, "limit": 1.0, "floor": 0.001}
