# Starts A with zeros as well as B, and no gradient ever reaches either.
# fails: the_adapter_can_learn
# %% exercise="lora.layer"
class LoRALinear(nn.Module):
    def __init__(self, base, rank, alpha):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.scale = alpha / rank
        outputs, inputs = base.weight.shape
        self.A = nn.Parameter(torch.zeros(rank, inputs, dtype=base.weight.dtype))
        self.B = nn.Parameter(torch.zeros(outputs, rank, dtype=base.weight.dtype))

    def forward(self, x):
        return self.base(x) + self.scale * (x @ self.A.T @ self.B.T)
