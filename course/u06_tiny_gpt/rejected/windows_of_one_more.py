# Cuts rows of one token more and shifts inside each, so that the target between two windows gets lost.
# fails: windows_lie_side_by_side
# %% exercise="windows.cut"
def cut_windows(tokens: torch.Tensor, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut a row of tokens into windows `x` and targets `y`, both of the shape [windows, length].

    The windows lie side by side and begin at the first token. There are as many as there are targets for; what is
    left at the end and does not fill a window is dropped. Each target is the token that follows.
    """
    count = len(tokens) // (length + 1)
    rows = tokens[: count * (length + 1)].reshape(count, length + 1)
    return rows[:, :-1], rows[:, 1:]
