# Takes every padding token for padding, also one that belongs to a text.
# fails: the_padding_token_may_stand_in_a_text
# %% exercise="batch.left"
def left_batch(sequences, pad):
    longest = max(len(sequence) for sequence in sequences)
    ids = torch.tensor([[pad] * (longest - len(sequence)) + sequence for sequence in sequences])
    mask = (ids != pad).long()
    return {"input_ids": ids, "attention_mask": mask, "position_ids": (mask.cumsum(dim=1) - 1).clamp(min=0)}
