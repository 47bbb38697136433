# Compares all logits, with those of the last place, which reads the changed token.
# fails: a_look_into_the_future
# %% exercise="training.examine"
def examine(logits, train_step, x: torch.Tensor, y: torch.Tensor, vocabulary: int, steps: int) -> list[str]:
    """The faults of a model and its training step: a list of some of the words "start", "future" and "stuck".

    "start": before training, the mean loss of `logits(x)` on `y` is more than 0.5 away from ln(vocabulary).
    "future": with other last tokens in a copy of `x`, logits at earlier places change by more than 0.0001.
    "stuck": after `steps` times `train_step(x, y)`, the loss on this batch is not below a tenth of ln(vocabulary).
    `x` and `y` themselves stay as they are.
    """

    def loss():
        return F.cross_entropy(logits(x).flatten(0, 1), y.flatten()).item()

    faults = []
    if abs(loss() - math.log(vocabulary)) > 0.5:
        faults.append("start")
    changed = x.clone()
    changed[:, -1] = (changed[:, -1] + 1) % vocabulary
    if (logits(changed) - logits(x)).abs().max() > 1e-4:
        faults.append("future")
    for _ in range(steps):
        train_step(x, y)
    if not loss() < 0.1 * math.log(vocabulary):
        faults.append("stuck")
    return faults
