# Leaves out the arrays for which PyTorch has no gradient.
# fails: torch_gives_zeros_without_influence
# %% exercise="torch.gradients"
def torch_gradients(function, cotangent, *arrays):
    tensors = [torch.tensor(array, requires_grad=True) for array in arrays]
    output = function(*tensors)
    output.backward(torch.tensor(cotangent))
    return [t.grad.numpy() for t in tensors if t.grad is not None]
