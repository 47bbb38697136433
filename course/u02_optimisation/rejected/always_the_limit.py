# Brings every gradient to the limit, short ones too, so that training never comes to rest.
# fails: below_the_limit_nothing_changes
# %% exercise="gradients.clip"
def clip_gradients(grads, limit):
    norm = torch.cat([grad.reshape(-1) for grad in grads if grad is not None] or [torch.zeros(1)]).norm()
    return [None if grad is None else grad * (limit / (norm + 1e-6)) for grad in grads], norm.item()
