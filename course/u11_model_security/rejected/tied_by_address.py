# Believes that two tensors are the same if they start at the same address.
# fails: a_view_is_not_the_tensor_it_looks_at
# %% exercise="checkpoint.convert"
def convert(checkpoint):
    try:
        state = torch.load(io.BytesIO(checkpoint), weights_only=True)
    except pickle.UnpicklingError as problem:
        raise ValueError("not safe") from problem
    tensors, tied, owner = {}, {}, {}
    for name, value in state.items():
        if not isinstance(value, torch.Tensor):
            raise ValueError(name)
        place = value.data_ptr() or name
        if place in owner:
            tied[name] = owner[place]
        else:
            owner[place] = name
            tensors[name] = value.detach().clone(memory_format=torch.contiguous_format)
    return safetensors.torch.save(tensors, metadata={"format": "pt", "tied": json.dumps(tied)})
