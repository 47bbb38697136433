# Weighs the new gradient with one minus the momentum, as an average would, so that steps are too short.
# fails: momentum_is_that_of_torch
# %% exercise="sgd.step"
def sgd_step(params, grads, state, lr, momentum=0.0):
    new_params, new_state = [], []
    for param, grad, velocity in zip(params, grads, state, strict=True):
        if grad is not None:
            velocity = momentum * (0 if velocity is None else velocity) + (1 - momentum) * grad
            param = param - lr * velocity
        new_params.append(param)
        new_state.append(velocity)
    return new_params, new_state
