# Counts the steps of all parameters together, so that a parameter that joins late is corrected wrongly.
# fails: each_parameter_counts_its_own_steps
# %% exercise="adamw.step"
def adamw_step(params, grads, state, lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    new_params, new_state = [], []
    for param, grad, memory in zip(params, grads, state, strict=True):
        mean, square, count = memory or (0.0, 0.0, 0)
        count += 1
        if grad is not None:
            mean = betas[0] * mean + (1 - betas[0]) * grad
            square = betas[1] * square + (1 - betas[1]) * grad**2
            length = (square / (1 - betas[1] ** count)).sqrt() + eps
            param = param * (1 - lr * weight_decay) - lr * mean / (1 - betas[0] ** count) / length
        memory = (mean, square, count)
        new_params.append(param)
        new_state.append(memory)
    return new_params, new_state
