# Stores bfloat16 as 32-bit floats, because NumPy has no bfloat16.
# fails: every_bit_comes_back
# %% exercise="checkpoint.convert"
import numpy


def convert(checkpoint):
    try:
        state = torch.load(io.BytesIO(checkpoint), weights_only=True)
    except pickle.UnpicklingError as problem:
        raise ValueError("not safe") from problem
    tensors, tied, owner = {}, {}, {}
    for name, value in state.items():
        if not isinstance(value, torch.Tensor):
            raise ValueError(name)
        place = value.untyped_storage().data_ptr(), value.storage_offset(), value.dtype, value.shape, value.stride()
        if place in owner:
            tied[name] = owner[place]
        else:
            owner[place] = name
            numbers = value.detach().float() if value.dtype is torch.bfloat16 else value.detach()
            tensors[name] = torch.from_numpy(numpy.array(numbers.numpy(), order="C"))
    return safetensors.torch.save(tensors, metadata={"format": "pt", "tied": json.dumps(tied)})
