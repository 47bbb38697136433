# Turns off weights_only because a file did not load with it.
# fails: what_is_not_a_tensor_is_refused_and_not_run
# %% exercise="checkpoint.convert"
def convert(checkpoint):
    try:
        state = torch.load(io.BytesIO(checkpoint), weights_only=False)
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
            tensors[name] = value.detach().clone(memory_format=torch.contiguous_format)
    return safetensors.torch.save(tensors, metadata={"format": "pt", "tied": json.dumps(tied)})
