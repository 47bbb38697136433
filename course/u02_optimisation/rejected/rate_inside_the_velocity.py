# Multiplies by the learning rate before the velocity adds up, so that a schedule acts too late.
# fails: a_step_is_as_long_as_its_own_learning_rate
# %% exercise="sgd.step"
def sgd_step(params, grads, state, lr, momentum=0.0):
    new_params, new_state = [], []
    for param, grad, velocity in zip(params, grads, state, strict=True):
        if grad is not None:
            velocity = lr * grad if velocity is None else momentum * velocity + lr * grad
            param = param - velocity
        new_params.append(param)
        new_state.append(velocity)
    return new_params, new_state
