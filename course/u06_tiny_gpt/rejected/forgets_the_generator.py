# Believes that the seed of the new run is enough for its random numbers.
# fails: random_numbers_go_on
# %% exercise="training.resume"
def pack(run: Run) -> bytes:
    """Everything in `run` that changes during training, as bytes."""
    state = {
        "model": run.model.state_dict(),
        "optimizer": run.optimizer.state_dict(),
        "schedule": run.schedule.state_dict(),
        "order": run.order,
        "losses": run.losses,
    }
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def unpack(data: bytes, run: Run) -> None:
    """Bring `run`, a new one with the same settings, into the state that `pack` has written."""
    state = torch.load(io.BytesIO(data), weights_only=True)
    run.model.load_state_dict(state["model"])
    run.optimizer.load_state_dict(state["optimizer"])
    run.schedule.load_state_dict(state["schedule"])
    run.order, run.losses = state["order"], state["losses"]


def train(run: Run, until: int, every: int, step, save, load) -> None:
    """Train until the run has made `until` steps, with a checkpoint after every `every` steps.

    `load()` gives the bytes of the last checkpoint, or None if there is none yet. `step(run)` makes one step and gives
    its loss, which is added to `run.losses`. `save(data)` stores the bytes of a checkpoint.
    """
    data = load()
    if data is not None:
        unpack(data, run)
    while len(run.losses) < until:
        run.losses.append(step(run))
        if len(run.losses) % every == 0:
            save(pack(run))
