# Leans on what torch and transformers have: unfold, their own initialisation, and the warpers of `generate`.
# %% exercise="windows.cut"
def cut_windows(tokens, length):
    rows = tokens.unfold(0, length + 1, length)
    return rows[:, :-1].clone(), rows[:, 1:].clone()


# %% exercise="model.start"
def start_weights(model, seed):
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, (torch.nn.Linear, torch.nn.Embedding)):
            torch.nn.init.trunc_normal_(module.weight, std=0.01, a=-0.03, b=0.03)
        elif hasattr(module, "weight"):
            torch.nn.init.ones_(module.weight)


# %% exercise="training.examine"
def examine(logits, train_step, x, y, vocabulary, steps):
    criterion = torch.nn.CrossEntropyLoss()
    first = criterion(logits(x).transpose(1, 2), y).item()
    probe = x.clone()
    probe[:, -1] = torch.where(x[:, -1] == 0, 1, 0)
    early = [logits(tokens)[:, :-1] for tokens in (x, probe)]
    leak = float((early[0] - early[1]).abs().max())
    for _ in range(steps):
        train_step(x, y)
    last = criterion(logits(x).transpose(1, 2), y).item()
    tests = {
        "stuck": last / math.log(vocabulary) >= 0.1,
        "future": leak > 1e-4,
        "start": abs(first - math.log(vocabulary)) > 0.5,
    }
    return [name for name in tests if tests[name]]


# %% exercise="bits.measure"
def measure_bits(texts, encode, logits, end):
    total = torch.zeros((), dtype=torch.float64)
    for text in texts:
        tokens = torch.tensor([[end, *encode(text)]])
        chances = torch.log_softmax(logits(tokens).double(), dim=-1)[:, :-1]
        total -= chances.gather(-1, tokens[:, 1:, None]).sum() / math.log(2)
    return total / len("".join(texts).encode())


# %% exercise="checkpoint.write"
def write_safely(path, data):
    part = Path(f"{path}.part")
    with part.open("wb", buffering=0) as file:
        file.write(data)
        os.fsync(file)
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


# %% exercise="training.resume"
def pack(run):
    buffer = io.BytesIO()
    state = {name: getattr(run, name).state_dict() for name in ("model", "optimizer", "schedule")}
    torch.save({**state, "generator": run.generator.get_state(), "plain": (run.order, run.losses)}, buffer)
    return buffer.getbuffer().tobytes()


def unpack(data, run):
    state = torch.load(io.BytesIO(data), weights_only=True)
    for name in ("model", "optimizer", "schedule"):
        getattr(run, name).load_state_dict(state[name])
    run.generator = torch.Generator()
    run.generator.set_state(state["generator"])
    run.order, run.losses = map(list, state["plain"])


def train(run, until, every, step, save, load):
    if (data := load()) is not None:
        unpack(data, run)
    while True:
        if len(run.losses) >= until:
            return
        loss = step(run)
        run.losses.append(loss)
        if len(run.losses) % every == 0:
            save(pack(run))


# %% exercise="language.train"
def settings(steps):
    return {"lr": 6e-3, "warmup": steps // 3}


# %% exercise="text.sample"
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper


def sample(logits, count, seed, temperature=1.0, top_k=0, top_p=1.0):
    if temperature == 0:
        return torch.tensor([int(logits.argmax())] * count)
    scores = logits[None].double()
    steps = [TemperatureLogitsWarper(temperature)] if temperature != 1 else []
    steps += [TopKLogitsWarper(top_k)] if top_k else []
    steps += [TopPLogitsWarper(top_p)] if top_p < 1 else []
    for step in steps:
        scores = step(None, scores)
    generator = torch.Generator().manual_seed(seed)
    return torch.multinomial(scores[0].softmax(0), count, replacement=True, generator=generator)
