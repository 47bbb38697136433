# Adds the output up and goes back from there, so every weight is 1.
# fails: torch_weighs_with_the_cotangent
# %% exercise="torch.gradients"
def torch_gradients(function, cotangent, *arrays):
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    output = function(*tensors)
    output.backward(torch.ones_like(output))
    return [np.zeros(t.shape) if t.grad is None else t.grad.numpy() for t in tensors]
