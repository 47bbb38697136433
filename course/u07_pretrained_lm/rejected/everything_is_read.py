# Gives a mask of ones, so the model reads the padding as text.
# fails: a_batch_changes_no_answer
# %% exercise="batch.left"
def left_batch(sequences, pad):
    longest = max(len(sequence) for sequence in sequences)
    ids = torch.tensor([[pad] * (longest - len(sequence)) + sequence for sequence in sequences])
    positions = torch.tensor([[0] * (longest - len(s)) + list(range(len(s))) for s in sequences])
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "position_ids": positions}
