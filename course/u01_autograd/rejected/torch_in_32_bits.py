# Makes tensors of PyTorch's usual precision, 32 bits.
# fails: torch_computes_in_64_bits
# %% exercise="torch.gradients"
def torch_gradients(function, cotangent, *arrays):
    tensors = [torch.tensor(array, dtype=torch.float32, requires_grad=True) for array in arrays]
    output = function(*tensors)
    output.backward(torch.tensor(cotangent, dtype=torch.float32))
    return [np.zeros(t.shape) if t.grad is None else t.grad.numpy() for t in tensors]
