# Starts each step with a velocity of zero, so that momentum has no effect at all.
# fails: momentum_is_that_of_torch
# %% exercise="sgd.step"
def sgd_step(params, grads, state, lr, momentum=0.0):
    new_params = []
    for param, grad in zip(params, grads, strict=True):
        if grad is None:
            new_params.append(param)
            continue
        velocity = torch.zeros_like(param)
        velocity = momentum * velocity + grad
        new_params.append(param - lr * velocity)
    return new_params, state
