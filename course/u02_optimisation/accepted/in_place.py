# Changes tensors in place, as torch does, with dictionaries for the state and one flat vector for the norm.
# %% exercise="sgd.step"
def sgd_step(params, grads, state, lr, momentum=0.0):
    for number, grad in enumerate(grads):
        if grad is None:
            continue
        if state[number] is None:
            state[number] = {"velocity": torch.zeros_like(params[number])}
        velocity = state[number]["velocity"]
        velocity.mul_(momentum).add_(grad)
        params[number].sub_(velocity, alpha=lr)
    return params, state


# %% exercise="batches.shuffle"
def epoch_batches(count, size, seed, epoch):
    generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
    return [batch.tolist() for batch in torch.randperm(count, generator=generator).split(size)]


# %% exercise="training.loop"
def train(params, batches, gradient, step, schedule, clip):
    params, state, losses, number = list(params), [None] * len(params), [], 0
    for batch in batches:
        loss, grads = gradient(params, batch)
        losses.append(float(loss))
        if not torch.isfinite(torch.tensor(loss)):
            return params, losses
        short = clip(grads)
        lr = schedule(number)
        params, state = step(params, short[0], state, lr)
        number += 1
    return params, losses


# %% exercise="adamw.step"
def adamw_step(params, grads, state, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    for number, grad in enumerate(grads):
        if grad is None:
            continue
        if state[number] is None:
            zeros = torch.zeros_like(params[number])
            state[number] = {"step": 0, "mean": zeros, "square": zeros.clone()}
        memory = state[number]
        memory["step"] += 1
        memory["mean"].lerp_(grad, 1 - betas[0])
        memory["square"].mul_(betas[1]).addcmul_(grad, grad, value=1 - betas[1])
        params[number].mul_(1 - lr * weight_decay)
        size = lr / (1 - betas[0] ** memory["step"])
        length = memory["square"].sqrt() / math.sqrt(1 - betas[1] ** memory["step"]) + eps
        params[number].addcdiv_(memory["mean"], length, value=-size)
    return params, state


# %% exercise="gradients.clip"
def clip_gradients(grads, limit):
    flat = [grad.flatten() for grad in grads if grad is not None]
    norm = torch.linalg.vector_norm(torch.cat(flat)) if flat else torch.tensor(0.0)
    factor = torch.clamp(limit / (norm + 1e-6), max=1.0)
    for grad in grads:
        if grad is not None:
            grad.mul_(factor)
    return grads, norm


# %% exercise="rate.schedule"
def learning_rate(step, peak, warmup, total, floor=0.0):
    if step < warmup:
        rate = peak / warmup * step
    elif step >= total:
        rate = floor
    else:
        rate = (peak + floor) / 2 + (peak - floor) / 2 * math.cos(math.pi * (step - warmup) / (total - warmup))
    return rate


# %% exercise="training.diagnose"
def diagnose(train_losses, valid_losses):
    first = train_losses[0]
    if any(math.isnan(loss) or math.isinf(loss) for loss in train_losses):
        return "diverging"
    per_epoch = len(train_losses) // len(valid_losses)
    end = sum(train_losses[-per_epoch:]) / per_epoch
    if end > 5 * first:
        return "diverging"
    peaks = [place % per_epoch for place, loss in enumerate(train_losses) if loss > 1.5 * first and place >= per_epoch]
    if len(peaks) >= len(valid_losses) - 1 and len(set(peaks)) <= 3:
        return "not shuffled"
    if end > first / 2:
        return "too slow"
    return "overfitting" if valid_losses[-1] / min(valid_losses) > 1.35 else "healthy"


# %% exercise="training.tune"
def settings_for(steps):
    if steps < 100:
        return {"method": "adamw", "lr": 0.1, "warmup": 2}
    return {"method": "adamw", "lr": 0.03, "warmup": 10, "weight_decay": 0.0}
