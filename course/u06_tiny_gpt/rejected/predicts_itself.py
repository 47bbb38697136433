# Takes the token that is read as the right answer.
# fails: each_target_is_the_token_that_follows
# %% exercise="windows.cut"
def cut_windows(tokens: torch.Tensor, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut a row of tokens into windows `x` and targets `y`, both of the shape [windows, length].

    The windows lie side by side and begin at the first token. There are as many as there are targets for; what is
    left at the end and does not fill a window is dropped. Each target is the token that follows.
    """
    count = (len(tokens) - 1) // length
    x = tokens[: count * length].reshape(count, length)
    y = tokens[: count * length].reshape(count, length)
    return x, y
