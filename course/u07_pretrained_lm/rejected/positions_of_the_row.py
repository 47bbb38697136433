# Numbers the places of the whole row, padding included; Llama forgives it, GPT-2 does not.
# fails: positions_are_counted_in_each_text
# %% exercise="batch.left"
def left_batch(sequences, pad):
    longest = max(len(sequence) for sequence in sequences)
    ids = torch.tensor([[pad] * (longest - len(sequence)) + sequence for sequence in sequences])
    mask = torch.tensor([[0] * (longest - len(sequence)) + [1] * len(sequence) for sequence in sequences])
    positions = torch.arange(longest).repeat(len(sequences), 1)
    return {"input_ids": ids, "attention_mask": mask, "position_ids": positions}
