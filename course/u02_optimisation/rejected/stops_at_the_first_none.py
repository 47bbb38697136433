# Leaves the loop at the first parameter without a gradient, so that those behind it are never trained.
# fails: none_is_not_zero
# %% exercise="sgd.step"
def sgd_step(params, grads, state, lr, momentum=0.0):
    new_params, new_state = list(params), list(state)
    for place, (param, grad, velocity) in enumerate(zip(params, grads, state, strict=True)):
        if grad is None:
            break
        new_state[place] = grad if velocity is None else momentum * velocity + grad
        new_params[place] = param - lr * new_state[place]
    return new_params, new_state
