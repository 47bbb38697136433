# Leaves the base trainable, so that the adapter is only a part of what moves.
# fails: the_base_is_frozen
# %% exercise="lora.layer"
class LoRALinear(nn.Module):
    def __init__(self, base, rank, alpha):
        super().__init__()
        self.base = base
        self.scale = alpha / rank
        outputs, inputs = base.weight.shape
        self.A = nn.Parameter(torch.randn(rank, inputs, dtype=base.weight.dtype) / rank)
        self.B = nn.Parameter(torch.zeros(outputs, rank, dtype=base.weight.dtype))

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.A.T @ self.B.T)
