# Takes the order from the global generator, so that an epoch cannot be repeated after a power cut.
# fails: the_same_numbers_give_the_same_batches
# %% exercise="batches.shuffle"
def epoch_batches(count, size, seed, epoch):
    order = torch.randperm(count).tolist()
    return [order[start : start + size] for start in range(0, count, size)]
