# Draws with numpy, counts in a table, works on the state of the modules directly, and uses accelerate's own helpers.
# %% exercise="split.grouped"
import numpy as np


def few_shot_split(labels, groups, per_class, seed):
    generator = np.random.default_rng(seed)
    labels_array, train = np.array(labels), []
    for label in np.unique(labels_array):
        members = np.flatnonzero(labels_array == label)
        if members.size < per_class:
            raise ValueError(f"{label}: only {members.size}")
        train.extend(generator.permutation(members)[:per_class])
    drawn = {groups[place] for place in train}
    rest = [place for place, group in enumerate(groups) if group not in drawn]
    return np.array(train), np.array(rest, dtype=int)


# %% exercise="score.macro"
def mean_f1(labels, predictions, classes):
    number = {one: place for place, one in enumerate(classes)}
    table = np.zeros((len(classes), len(classes)))
    for right, said in zip(labels, predictions, strict=True):
        table[number[right], number[said]] += 1
    hits = table.diagonal()
    misses, alarms = table.sum(1) - hits, table.sum(0) - hits
    return float((2 * hits / (2 * hits + misses + alarms)).mean())


# %% exercise="lora.layer"
class LoRALinear(nn.Module):
    def __init__(self, base, rank, alpha):
        super().__init__()
        self.base = base
        for parameter in self.base.parameters():
            parameter.requires_grad = False
        self.rank, self.alpha = rank, alpha
        self.A = nn.Parameter(base.weight.new_empty(rank, base.in_features))
        self.B = nn.Parameter(base.weight.new_empty(base.out_features, rank))
        nn.init.kaiming_uniform_(self.A, a=math.sqrt(5))
        nn.init.zeros_(self.B)

    def forward(self, x):
        inside = functional.linear(x, self.A)
        return self.base(x).add(functional.linear(inside, self.B), alpha=self.alpha / self.rank)


# %% exercise="lora.merge"
def merge(weight, A, B, alpha):
    return torch.addmm(weight, B, A, alpha=alpha / A.shape[0])


def unmerge(merged, A, B, alpha):
    return torch.addmm(merged, B, A, alpha=-alpha / A.shape[0])


# %% exercise="adapters.place"
def add_adapters(model, names, rank, alpha, layer):
    for parameter in model.parameters():
        parameter.requires_grad = False
    wanted = [n for n, m in model.named_modules() if isinstance(m, nn.Linear) and n.rsplit(".", 1)[-1] in names]
    for path in wanted:
        above, _, own = path.rpartition(".")
        parent = model.get_submodule(above)
        setattr(parent, own, layer(getattr(parent, own), rank, alpha))
    return sum([p.numel() for p in model.parameters() if p.requires_grad])


# %% exercise="adapt.train"
def adapt(model, batches, epochs, lr, accelerator):
    ready = accelerator.prepare(model)
    optimizer = accelerator.prepare(torch.optim.AdamW(filter(lambda p: p.requires_grad, ready.parameters()), lr))
    losses = torch.zeros(epochs * len(batches), dtype=torch.float64)
    for step in range(len(losses)):
        ready.train(True)
        loss = ready(**batches[step % len(batches)])["loss"]
        losses[step] = loss.detach()
        accelerator.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
    ready.train(False)
    return losses.tolist()


# %% exercise="inbox.sort"
@torch.inference_mode()
def predict(model, states, classes, size, collate):
    model.train(False)
    order = sorted(range(len(states)), key=lambda place: states[place].shape[0])
    answers = [""] * len(states)
    while order:
        some, order = order[:size], order[size:]
        logits = model(**collate([states[place] for place in some]))["logits"]
        for place, row in zip(some, logits, strict=True):
            answers[place] = classes[int(torch.argmax(row))]
    return answers


# %% exercise="forgetting.measure"
def forgetting(model, measure):
    model.eval()
    with model.disable_adapter():
        before = measure(model)
    after = measure(model)
    return dict(before=before, after=after, forgotten=before - after)
