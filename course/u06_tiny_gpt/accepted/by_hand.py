# Windows by slices, a start by modules, files by numbers, and draws by comparing random numbers with sums.
# %% exercise="windows.cut"
def cut_windows(tokens, length):
    rows = [tokens[start : start + length + 1] for start in range(0, len(tokens) - length, length)]
    return torch.stack([row[:-1] for row in rows]), torch.stack([row[1:] for row in rows])


# %% exercise="model.start"
def start_weights(model, seed):
    generator = torch.Generator().manual_seed(seed + 17)
    state = {}
    for name, values in model.state_dict().items():
        if "norm" in name:
            state[name] = torch.ones_like(values)
        else:
            spread = 0.3 / values.shape[1]
            state[name] = spread * (2 * torch.rand(values.shape, generator=generator) - 1) * 3**0.5
    state["lm_head.weight"] = state["model.embed_tokens.weight"]
    model.load_state_dict(state)


# %% exercise="training.examine"
def examine(logits, train_step, x, y, vocabulary, steps):
    def mean_loss():
        chances = logits(x).double().softmax(-1)
        return -chances.gather(-1, y[..., None]).log().mean().item()

    ideal, found = math.log(vocabulary), {}
    found["start"] = not ideal - 0.5 <= mean_loss() <= ideal + 0.5
    before = logits(x)[:, :-1]
    other = torch.cat([x[:, :-1], (x[:, -1:] + vocabulary // 2) % vocabulary], dim=1)
    found["future"] = not torch.allclose(before, logits(other)[:, :-1], rtol=0, atol=1e-4)
    for _ in range(steps):
        train_step(x.clone(), y.clone())
    found["stuck"] = mean_loss() >= ideal / 10
    return [name for name, sick in found.items() if sick]


# %% exercise="bits.measure"
def measure_bits(texts, encode, logits, end):
    bits = 0.0
    for text in texts:
        read = [end]
        read.extend(encode(text))
        for scores, token in zip(logits(torch.tensor([read]))[0], read[1:], strict=False):
            scores = scores.double()
            bits += float((scores.logsumexp(0) - scores[token]) / math.log(2))
    return bits / sum(len(text.encode("utf-8")) for text in texts)


# %% exercise="checkpoint.write"
def write_safely(path, data):
    part = str(path) + ".part"
    number = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        rest = memoryview(data)
        while len(rest):
            rest = rest[os.write(number, rest) :]
        os.fsync(number)
    finally:
        try:
            os.close(number)
        except OSError:
            pass
    os.rename(part, path)


# %% exercise="training.resume"
import copy
import pickle


def pack(run):
    parts = [run.model, run.optimizer, run.schedule]
    states = [copy.deepcopy(part.state_dict()) for part in parts]
    return pickle.dumps((states, run.generator.get_state().numpy().tobytes(), list(run.order), list(run.losses)))


def unpack(data, run):
    states, generator, order, losses = pickle.loads(data)
    for part, state in zip([run.model, run.optimizer, run.schedule], states, strict=True):
        part.load_state_dict(state)
    run.generator.set_state(torch.frombuffer(bytearray(generator), dtype=torch.uint8))
    run.order[:], run.losses[:] = order, losses


def train(run, until, every, step, save, load):
    old = load()
    if old:
        unpack(old, run)
    for number in range(len(run.losses) + 1, until + 1):
        run.losses += [step(run)]
        if not number % every:
            save(pack(run))


# %% exercise="language.train"
def settings(steps):
    return {"lr": 0.003, "warmup": steps // 6}


# %% exercise="text.sample"
def sample(logits, count, seed, temperature=1.0, top_k=0, top_p=1.0):
    best_first = sorted(range(len(logits)), key=lambda token: -float(logits[token]))
    if temperature == 0:
        return torch.full((count,), best_first[0])
    top = float(max(logits))
    weight = {token: math.exp((float(logits[token]) - top) / temperature) for token in best_first}
    kept = best_first[: top_k or None]
    total, so_far, last = sum(weight[token] for token in kept), 0.0, len(kept)
    for place, token in enumerate(kept):
        so_far += weight[token] / total
        if so_far >= top_p:
            last = place + 1
            break
    kept = kept[:last]
    chance = random.Random(seed)
    return torch.tensor(chance.choices(kept, [weight[token] for token in kept], k=count))
