# Multiplies by alpha and forgets to divide by the rank.
# fails: the_adapter_adds_its_product
# %% exercise="lora.layer"
class LoRALinear(nn.Module):
    def __init__(self, base, rank, alpha):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.alpha = alpha
        outputs, inputs = base.weight.shape
        self.A = nn.Parameter(torch.randn(rank, inputs, dtype=base.weight.dtype) / rank)
        self.B = nn.Parameter(torch.zeros(outputs, rank, dtype=base.weight.dtype))

    def forward(self, x):
        return self.base(x) + self.alpha * (x @ self.A.T @ self.B.T)
