# Plain loops: one example at a time, one text at a time, adapters as differences of weights, layers switched by hand.
# %% exercise="split.grouped"
def few_shot_split(labels, groups, per_class, seed):
    draw = random.Random(f"seed {seed}")
    left = {label: per_class for label in labels}
    train = []
    for place in draw.sample(range(len(labels)), k=len(labels)):
        if left[labels[place]]:
            left[labels[place]] -= 1
            train.append(place)
    if any(left.values()):
        raise ValueError("too few examples")
    taken = [groups[place] for place in train]
    return train, [place for place in range(len(groups)) if groups[place] not in taken]


# %% exercise="score.macro"
def mean_f1(labels, predictions, classes):
    scores = []
    for one in classes:
        hits = alarms = misses = 0
        for right, said in zip(labels, predictions, strict=True):
            hits += right == one and said == one
            alarms += right != one and said == one
            misses += right == one and said != one
        if hits == 0:
            scores.append(0.0)
            continue
        precision, recall = hits / (hits + alarms), hits / (hits + misses)
        scores.append(2 * precision * recall / (precision + recall))
    return torch.tensor(scores, dtype=torch.float64).mean().item()


# %% exercise="lora.layer"
class LoRALinear(nn.Module):
    def __init__(self, base, rank, alpha):
        super().__init__()
        base.requires_grad_(False)
        self.base = base
        self.register_parameter("A", nn.Parameter(torch.rand(rank, base.in_features).to(base.weight) - 0.5))
        self.register_parameter("B", nn.Parameter(torch.zeros_like(base.weight[:, :1]).repeat(1, rank)))
        self.strength = alpha / rank

    def forward(self, x):
        return functional.linear(x, self.base.weight + self.strength * (self.B @ self.A), self.base.bias)


# %% exercise="lora.merge"
def merge(weight, A, B, alpha):
    merged = weight.clone()
    for row, column in zip(A, B.T, strict=True):
        merged += alpha / A.shape[0] * torch.outer(column, row)
    return merged


def unmerge(merged, A, B, alpha):
    return merge(merged, A, -B, alpha)


# %% exercise="adapters.place"
def add_adapters(model, names, rank, alpha, layer):
    model.requires_grad_(False)
    count = 0

    def visit(parent):
        nonlocal count
        for name, child in list(parent.named_children()):
            if type(child) is nn.Linear and name in names:
                new = layer(child, rank, alpha)
                setattr(parent, name, new)
                count += sum(p.numel() for p in new.parameters() if p.requires_grad)
            else:
                visit(child)

    visit(model)
    return count


# %% exercise="adapt.train"
def adapt(model, batches, epochs, lr, accelerator):
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)  # what is frozen has no gradient and is skipped
    model, optimizer = accelerator.prepare(model, optimizer)
    model.train()
    losses = []
    for _ in range(epochs):
        for batch in batches:
            optimizer.zero_grad()
            output = model(**batch)
            accelerator.backward(output["loss"])
            losses.append(float(output["loss"]))
            optimizer.step()
    model.eval()
    return losses


# %% exercise="inbox.sort"
def predict(model, states, classes, size, collate):
    model.eval()
    found = []
    for one in states:
        with torch.no_grad():
            found.append(classes[model(**collate([one]))["logits"][0].argmax()])
    return found


# %% exercise="forgetting.measure"
def forgetting(model, measure):
    model.eval()
    with_adapter = measure(model)
    model.base_model.disable_adapter_layers()
    try:
        without = measure(model)
    finally:
        model.base_model.enable_adapter_layers()
    return {"forgotten": without - with_adapter, "after": with_adapter, "before": without}
