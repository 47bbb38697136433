# Pads on the right, as the tokenizer does by default, so the next token would come behind padding.
# fails: the_last_tokens_stand_at_the_right_end
# %% exercise="batch.left"
def left_batch(sequences, pad):
    longest = max(len(sequence) for sequence in sequences)
    ids = torch.tensor([sequence + [pad] * (longest - len(sequence)) for sequence in sequences])
    mask = torch.tensor([[1] * len(sequence) + [0] * (longest - len(sequence)) for sequence in sequences])
    return {"input_ids": ids, "attention_mask": mask, "position_ids": (mask.cumsum(dim=1) - 1).clamp(min=0)}
