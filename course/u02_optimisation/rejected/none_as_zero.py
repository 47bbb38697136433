# Treats a missing gradient as a gradient of zero, so that the velocity carries the parameter on.
# fails: none_is_not_zero
# %% exercise="sgd.step"
def sgd_step(params, grads, state, lr, momentum=0.0):
    new_params, new_state = [], []
    for param, grad, velocity in zip(params, grads, state, strict=True):
        grad = torch.zeros_like(param) if grad is None else grad
        velocity = grad if velocity is None else momentum * velocity + grad
        new_params.append(param - lr * velocity)
        new_state.append(velocity)
    return new_params, new_state
