# Counts the adapters and freezes the whole model afterwards, adapters included.
# fails: all_the_rest_is_frozen
# %% exercise="adapters.place"
def add_adapters(model, names, rank, alpha, layer):
    model.requires_grad_(False)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if name in names and isinstance(child, nn.Linear):
                setattr(parent, name, layer(child, rank, alpha))
    count = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    model.requires_grad_(False)
    return count
