"""Hidden checks of unit 06. Oracles: loops over plain numbers, a Llama of the grader's own, files, and chi-square."""

import json
import math
import os
import tempfile
from itertools import pairwise
from numbers import Real
from pathlib import Path

import torch
import torch.nn.functional as F
from scipy.stats import chi2
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

from autograder.student import check, expect

# Written for this course, so that no model was trained on it.
PROSE = [
    "Дар деҳаи мо ҳар баҳор дарахтони зардолу гул мекунанд.",
    "Падарам субҳи барвақт ба саҳро меравад ва бегоҳӣ бармегардад.",
    "Оби дарё аз барфи кӯҳҳо меояд, бинобар ин тобистон зиёд аст.",
    "Бачаҳо баъди дарс дар назди мактаб футбол бозӣ мекарданд.",
    "Модаркалонам афсонаҳои бисёрро аз ёд медонад.",
    "Мо дирӯз ба шаҳр рафтем ва аз бозор меваю сабзавот харидем.",
    "Агар имрӯз борон наборад, пагоҳ ба заминҳо об додан лозим мешавад.",
    "Дар китобхонаи донишгоҳ китобҳои кӯҳна бо эҳтиёт нигоҳ дошта мешаванд.",
    "Духтур гуфт, ки бемор бояд се рӯз дар хона истироҳат кунад.",
    "Шоми зимистон ҳама дар гирди оташдон ҷамъ меомаданд.",
    "Роҳи байни ду шаҳр аз ағбаи баланд мегузарад ва дар зимистон баста мешавад.",
    "Ҳамсояи мо чанд сол боз занбӯри асал парвариш мекунад.",
    "Омӯзгор аз хонандагон хоҳиш кард, ки дар бораи оилаи худ нависанд.",
    "Нархи орд имсол боло рафт, вале гандуми мо хуб шуд.",
    "Ман мехоҳам забони модариам дар мошинҳо ҳам зинда бошад.",
    "Пас аз заминларза мардум ба ҳамдигар кӯмак расонданд.",
    "Хоҳарам дар шифохона кор мекунад ва гоҳе шабҳо навбатдор аст.",
    "Ин суруди қадимиро дар тӯйҳо ҳанӯз ҳам мехонанд.",
    "Деҳқонон пахтаро бо даст мечинанд, зеро мошин барои ин замин намешавад.",
    "Ҳаво гарм шуд ва мурғон аз ҷануб баргаштанд.",
    "Барои хонаи нав мо хишту чӯб ва чанд тиреза харидем.",
    "Писарча аз бобояш пурсид, ки чаро осмон кабуд аст.",
    "Дар мусобиқаи имсола дастаи мактаби мо ҷойи дуюмро гирифт.",
    "Нони гарм бо чойи кабуд беҳтарин наҳорӣ аст.",
]
MESSAGES = [
    "Барои идома додан рамзи навро ворид кунед.",
    "Ҳуҷҷат нигоҳ дошта нашуд, зеро диск пур аст.",
    "Оё шумо мехоҳед, ки ин аксро нест кунед?",
    "Пайвастшавӣ ба чопгар имконнопазир аст.",
    "Забони барномаро дар танзимот интихоб кунед.",
    "Ин ҷузвдон холӣ аст.",
    "Навсозӣ то анҷоми рӯз дастрас мешавад.",
    "Файл аз ҳад калон аст ва фиристода намешавад.",
    "Номи корбар набояд фосила дошта бошад.",
    "Барои дидани рӯйхат тугмаи поёнро пахш кунед.",
    "Ҷадвал бо панҷ сатр ва се сутун сохта шуд.",
    "Хатои шабака: лутфан дертар кӯшиш кунед.",
    "Тамоми хатбаракҳо ба дастгоҳи нав интиқол дода шуданд.",
    "Садо дар ин варақа хомӯш карда шуд.",
    "Аввал нусхаи эҳтиётиро бор кунед.",
]


class PowerCut(Exception):
    """The power goes off: raised where a check ends the learner's program."""


def as_number(value):
    """A learner's number as a float, or None if it is no number; a tensor or an array with one number is one too."""
    if hasattr(value, "numel") or hasattr(value, "dtype"):
        shape = getattr(value, "shape", None)
        value = value.item() if shape is not None and math.prod(shape) == 1 else None
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else None


def as_rows(value):
    """A table of whole numbers as lists, or None if it is anything else."""
    value = value.tolist() if hasattr(value, "tolist") else value
    right = isinstance(value, (list, tuple)) and all(isinstance(row, (list, tuple)) for row in value)
    return [list(row) for row in value] if right else None


# 1. Windows and targets


def windows_cut(student, tokens, length):
    tried = {"tokens": tokens, "length": length}
    got = student.cut_windows(torch.tensor(tokens), length)
    pair = isinstance(got, (tuple, list)) and len(got) == 2
    expect(pair, hint="Give back two tables, x and y.", input=tried, got=got)
    x, y = as_rows(got[0]), as_rows(got[1])
    right = x is not None and y is not None and all(len(row) == length for row in x + y) and len(x) == len(y)
    expect(
        right, hint="Both tables have a row of {length} tokens for each window.", input=tried, got=got, _length=length
    )
    return x, y, tried


@check("windows.cut", points=2)
def each_target_is_the_token_that_follows(student, rng):
    """The target at each place is the token that follows the token read there."""
    for length, size in [(1, 2), (2, 3), (2, 5), (3, 8), (5, 17), (7, 40)]:
        tokens = rng.sample(range(100), size)  # each token occurs once, so it is clear which one follows
        follower = dict(pairwise(tokens))
        x, y, tried = windows_cut(student, tokens, length)
        read = [token for row in x for token in row]
        expect(len(read) > 0, hint="There is room for at least one window.", input=tried, got=x)
        targets = [token for row in y for token in row]
        right = all(follower.get(token) == target for token, target in zip(read, targets, strict=True))
        expect(right, hint="Write the row of tokens on paper, and y below x.", input=tried, got=(x, y))


@check("windows.cut", points=1)
def windows_lie_side_by_side(student, rng):
    """The windows follow each other without a gap, and there are as many as there are targets for."""
    for length in (1, 2, 3, 5):
        for size in range(length + 1, 4 * length + 3):
            tokens = rng.sample(range(100), size)
            x, _, tried = windows_cut(student, tokens, length)
            begins = [start for start in range(0, size, length) if start + length < size]
            expect(
                x == [tokens[start : start + length] for start in begins],
                hint="How many windows have a target for each of their tokens, and where does each begin?",
                input=tried,
                got=x,
            )


# 2. A good start


def own_model(state, vocabulary, width, layers):
    """A Llama of the grader's with the learner's parameters, or None if they do not fit."""
    heads = max(1, width // 32)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=8 * width // 3,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=heads,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=0,
    )
    model = LlamaForCausalLM(config)
    try:
        model.load_state_dict({name: torch.as_tensor(values).detach().clone() for name, values in dict(state).items()})
    except (RuntimeError, TypeError, ValueError, AttributeError):
        return None
    return model


def started(student, vocabulary, width, layers, seed):
    """The grader's copy of a model that the learner has started; before, all its parameters were larger by 1."""
    model = student.new_model(vocabulary, width, layers)
    model.load_state_dict({name: values.detach() + 1 for name, values in dict(model.state_dict()).items()})
    student.start_weights(model, seed)
    copy = own_model(model.state_dict(), vocabulary, width, layers)
    tried = {"vocabulary": vocabulary, "width": width, "layers": layers, "seed": seed}
    expect(copy is not None, hint="Change the values in the parameters, not the parameters themselves.", input=tried)
    return copy, tried


def loss_of(model, x, y):
    return F.cross_entropy(model(input_ids=x).logits.flatten(0, 1), y.flatten())


@check("model.start", points=1)
def the_first_loss_is_near_ln_v(student, rng):
    """The first loss is near ln V for small and large vocabularies, for narrow models and wide ones."""
    for vocabulary, width, layers in [(20, 32, 1), (rng.randint(50, 200), 64, 2), (2000, 64, 1), (300, 256, 1)]:
        model, tried = started(student, vocabulary, width, layers, rng.randint(0, 10**6))
        tokens = torch.randint(vocabulary, (8, 33), generator=rng.torch)
        with torch.no_grad():
            loss = loss_of(model, tokens[:, :-1], tokens[:, 1:]).item()
        expect(
            abs(loss - math.log(vocabulary)) < 0.3,
            hint="ln V is {ideal} here. How large are the logits of your model, and what makes them large?",
            input=tried,
            got=loss,
            _ideal=round(math.log(vocabulary), 2),
        )


@check("model.start", points=1)
def norms_change_nothing_at_first(student, rng):
    """The weights of the norms are 1."""
    model, tried = started(student, 30, 32, 2, rng.randint(0, 10**6))
    for name, values in model.named_parameters():
        if values.dim() == 1:
            right = bool((values == 1).all())
            expect(right, hint="Look at {name}.", input=tried, got=values[:4].tolist(), _name=name)


@check("model.start", points=1)
def the_seed_decides_about_the_start(student, rng):
    """The same seed gives the same parameters, another seed gives others."""
    seed = rng.randint(0, 10**6)
    first, tried = started(student, 40, 32, 1, seed)
    torch.rand(rng.randint(1, 9))
    second, _ = started(student, 40, 32, 1, seed)
    third, _ = started(student, 40, 32, 1, seed + 1)
    same = all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    expect(same, hint="Two calls with this seed gave different parameters.", input=tried)
    differs = any(not torch.equal(a, b) for a, b in zip(first.parameters(), third.parameters(), strict=True))
    expect(
        differs, hint="The seeds {seed} and {next} gave the same parameters.", input=tried, _seed=seed, _next=seed + 1
    )


@check("model.start", points=1)
def it_can_learn_one_batch_by_heart(student, rng):
    """From this start, training on a single batch brings the loss close to zero."""
    model, tried = started(student, 50, 64, 2, rng.randint(0, 10**6))
    tokens = torch.randint(50, (2, 13), generator=rng.torch)
    x, y = tokens[:, :-1], tokens[:, 1:]
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.005)
    for _ in range(80):
        optimizer.zero_grad()
        loss_of(model, x, y).backward()
        optimizer.step()
    with torch.no_grad():
        loss = loss_of(model, x, y).item()
    expect(loss < 1, hint="After 80 steps of AdamW. Which parameters have a gradient of zero?", input=tried, got=loss)


# 3. Three questions


class Patient:
    """A table of logits for each token, with planted faults, and a training step on it.

    Args:
        offset: by how much the first loss differs from ln(vocabulary).
        peek: how much of the next token's logits is seen early.
        rate: the learning rate of the step.
    """

    def __init__(self, rng, vocabulary, x, y, offset=0.0, peek=0.0, rate=0.5):
        self.table = 0.01 * torch.randn(vocabulary, vocabulary, generator=rng.torch)
        self.ahead = torch.randn(vocabulary, vocabulary, generator=rng.torch)
        self.peek, self.steps = peek, 0
        # one logit of each row, that of the target, moved so far that the loss is as planted
        chance = math.exp(-math.log(vocabulary) - offset)
        logit = math.log(chance * (vocabulary - 1) / (1 - chance))
        self.table[x.flatten(), y.flatten()] += logit
        self.table.requires_grad_(True)
        self.optimizer = torch.optim.Adam([self.table], lr=rate)

    def scores(self, x):
        later = torch.cat([self.ahead[x[:, 1:]], torch.zeros_like(self.ahead[x[:, :1]])], dim=1)
        return self.table[x] + self.peek * later

    def logits(self, x):
        with torch.no_grad():
            return self.scores(x)

    def train_step(self, x, y):
        self.steps += 1
        loss = F.cross_entropy(self.scores(x).flatten(0, 1), y.flatten())
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()


def examined(student, rng, **faults):
    """What the learner's function says about a patient with these faults."""
    vocabulary, size = rng.randint(20, 40), rng.randint(3, 8)
    x = torch.tensor([rng.sample(range(vocabulary), size)])
    y = torch.tensor([rng.sample(range(vocabulary), size)])
    patient = Patient(rng, vocabulary, x, y, **faults)
    before = x.clone(), y.clone()
    got = student.examine(patient.logits, patient.train_step, x, y, vocabulary, 40)
    tried = {"vocabulary": vocabulary, "planted": faults or "no fault"}
    right = isinstance(got, (list, tuple)) and all(isinstance(word, str) for word in got)
    expect(right, hint="Give back a list of words.", input=tried, got=got)
    same = torch.equal(x, before[0]) and torch.equal(y, before[1])
    expect(same, hint="Your function has changed x or y. Work on a copy.", input=tried, got=got)
    return got, tried


def wrong_verdict(student, rng, word, sick, healthy):
    """What to show of the first patient about whom `word` is said wrongly; empty if there is none."""
    for planted, faults in [(False, {}), *((True, f) for f in sick), *((False, f) for f in healthy)]:
        got, tried = examined(student, rng, **faults)
        if (word in got) != planted:
            return {"input": tried, "got": got}
    return {}


@check("training.examine", points=1)
def a_first_loss_that_is_off(student, rng):
    """A first loss is reported if it is far from ln V, on either side, and only then."""
    sick = [{"offset": 0.8}, {"offset": -0.8}, {"offset": 5.0, "rate": 1.0}, {"offset": 0.7, "peek": 0.001}]
    healthy = [{"offset": 0.3}, {"offset": -0.3}, {"rate": 0.0}, {"offset": 0.2, "peek": 0.001}]
    found = wrong_verdict(student, rng, "start", sick, healthy)
    expect(not found, hint='When is "start" a fault? Compare the mean loss before the first step with ln V.', **found)


@check("training.examine", points=1)
def a_look_into_the_future(student, rng):
    """A model whose earlier logits depend on later tokens is reported, and no other."""
    sick = [{"peek": 1.0}, {"peek": 0.01}, {"peek": 0.1, "rate": 0.0}, {"peek": 0.1, "offset": 0.8}]
    healthy = [{"offset": 0.8}, {"rate": 0.0}, {"peek": 1e-6}]
    found = wrong_verdict(student, rng, "future", sick, healthy)
    expect(not found, hint='When is "future" a fault? Which logits may change if only the last token does?', **found)


@check("training.examine", points=1)
def a_batch_that_is_not_learned(student, rng):
    """A step that does not bring the loss on one batch below a tenth of ln V is reported, and no other."""
    sick = [{"rate": 0.0}, {"rate": 0.001}, {"rate": 0.04}, {"rate": 0.03, "offset": -0.8}]
    healthy = [{"rate": 0.08}, {"rate": 0.3, "peek": 0.001}, {"rate": 0.5, "offset": 0.8}]
    found = wrong_verdict(student, rng, "stuck", sick, healthy)
    expect(not found, hint='When is "stuck" a fault? Follow the loss on this batch over all the steps.', **found)


# 4. Bits per byte


def measured(student, texts, encode, logits, end=0):
    got = as_number(student.measure_bits(list(texts), encode, logits, end))
    expect(got is not None, hint="Give back one number.", input=texts, got=got)
    return got


def by_letter(text):
    """One token for each letter: 1 to 7."""
    return [1 + ord(letter) % 7 for letter in text]


def alike(vocabulary):
    return lambda tokens: torch.zeros(*tokens.shape, vocabulary)


def word_of(rng, letters, size):
    return "".join(rng.choices(letters, k=size))


@check("bits.measure", points=1)
def bits_and_not_nats(student, rng):
    """On long texts the measure is what a calculation with logarithms to the base 2 gives."""
    for vocabulary in (8, 16):
        text = word_of(rng, "abcdefgh ", 400)
        table = torch.randn(vocabulary, vocabulary, generator=rng.torch, dtype=torch.float64)
        got = measured(student, [text], by_letter, lambda tokens, table=table: table[tokens])
        read = [0, *by_letter(text)]
        chances = [math.exp(table[a, b]) / sum(math.exp(s) for s in table[a].tolist()) for a, b in pairwise(read)]
        right = -sum(math.log2(chance) for chance in chances) / len(text)
        expect(
            abs(got - right) < 0.03 * right,
            hint="What is the loss of a model that gives each of {vocabulary} tokens the same probability, in bits?",
            input=f"a text of {len(text)} bytes",
            got=got,
            _vocabulary=vocabulary,
        )


@check("bits.measure", points=1)
def a_tajik_letter_has_two_bytes(student, rng):
    """As many bits for as many letters are half as many per byte if each letter has two bytes."""
    size = rng.randint(20, 60)
    latin, tajik = word_of(rng, "abcdef", size), word_of(rng, "абвғҳҷ", size)
    one, two = (measured(student, [text], by_letter, alike(8)) for text in (latin, tajik))
    expect(
        abs(two - one / 2) < 1e-6 * abs(one) and one > 0,
        hint="How many bytes have these texts of {size} letters?",
        input=(latin, tajik),
        got=(one, two),
        _size=size,
    )


@check("bits.measure", points=1)
def the_first_token_is_predicted_too(student, rng):
    """The first token of a text costs bits: after the end token it may be likely or not."""
    for size in (1, 2, 6):
        text = word_of(rng, "abcdefg", size)
        end = rng.choice([0, 8])
        costs = []
        for bonus in (0.0, 3.0):
            table = torch.zeros(9, 9)
            table[end, by_letter(text)[0]] = bonus
            costs.append(measured(student, [text], by_letter, lambda tokens, table=table: table[tokens], end) * size)
        right = costs[1] < costs[0] - 0.5
        expect(right, hint="What does the model read before the first token?", input=text, got=costs)


@check("bits.measure", points=1)
def long_texts_count_more(student, rng):
    """All bits of all texts are divided once by all their bytes."""
    for _ in range(5):
        texts = [word_of(rng, "abcdef", rng.randint(30, 60)), word_of(rng, "g", rng.randint(30, 60) * 8)]

        def encode(text):
            return by_letter(text) if "g" not in text else by_letter(text)[::8]

        alone = [measured(student, [text], encode, alike(8)) for text in texts]
        both = measured(student, texts, encode, alike(8))
        right = sum(bits * len(text) for bits, text in zip(alone, texts, strict=True)) / sum(map(len, texts))
        shown = f"a text of {len(texts[0])} bytes needs {alone[0]:.3f}, one of {len(texts[1])} bytes {alone[1]:.3f}"
        expect(abs(both - right) < 1e-3 * abs(right), hint="How many times do you divide?", input=shown, got=both)


@check("bits.measure", points=1)
def large_logits_stay_right(student, rng):
    """Only differences of logits matter: with 1000 added to all of them, and for a token that is nearly impossible."""
    text = word_of(rng, "abcdef", 12)
    table = torch.randn(8, 8, generator=rng.torch, dtype=torch.float64)
    plain = measured(student, [text], by_letter, lambda tokens: table[tokens])
    raised = measured(student, [text], by_letter, lambda tokens: table[tokens] + 1000)
    right = math.isfinite(raised) and abs(plain - raised) < 1e-3
    expect(right, hint="What is e to the power of 1000 in your code?", input=text, got=(plain, raised))
    steep = measured(student, [text], by_letter, lambda tokens: 400.0 * F.one_hot(tokens * 0, 8).float())
    right = math.isfinite(steep) and steep > 100
    expect(right, hint="These tokens have a logit 400 below that of token 0.", input=text, got=steep)


# 5. A file that survives


def files_in(folder):
    return {file.name: file.read_bytes() for file in sorted(Path(folder).iterdir()) if file.is_file()}


def sizes(files):
    return {name: f"{len(data)} bytes" for name, data in files.items()}


def stop_at_the_end(*_arguments, **_options):
    raise PowerCut("The power goes off before the file gets its name.")


def written_until_the_name(student, path, data):
    """Let the learner write, and switch the power off where the second file is to get the name of the first."""
    kept = os.replace, os.rename
    os.replace = stop_at_the_end
    os.rename = stop_at_the_end
    try:
        student.write_safely(path, data)
    except PowerCut:
        return True
    finally:
        os.replace, os.rename = kept
    return False


@check("checkpoint.write", points=1)
def the_file_holds_the_data(student, rng):
    """The file holds exactly what was written last, and no other file is left."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"run{rng.randint(1, 99)}.pt"
        for size in (1, 10, 3, 0, 20_000, 7):
            data = rng.randbytes(size)
            student.write_safely(path, data)
            found = files_in(folder)
            tried = f"{size} bytes into {path.name}"
            expect(found.get(path.name) == data, hint="What is in the file now?", input=tried, got=sizes(found))
            expect(len(found) == 1, hint="Which file is left over?", input=tried, got=sizes(found))


@check("checkpoint.write", points=1)
def an_old_part_does_no_harm(student, rng):
    """What an earlier power cut has left in the second file does not get into the checkpoint."""
    for left, size in [(3, 5), (40, 5), (30_000, 100)]:
        with tempfile.TemporaryDirectory() as folder:
            path, data = Path(folder) / "run.pt", rng.randbytes(size)
            (Path(folder) / "run.pt.part").write_bytes(rng.randbytes(left))
            student.write_safely(path, data)
            found = files_in(folder)
            tried = f"{size} bytes; run.pt.part has {left} bytes of an attempt that was cut off"
            expect(found.get("run.pt") == data, hint="How do you open the second file?", input=tried, got=sizes(found))


@check("checkpoint.write", points=2)
def the_old_file_stays_until_the_new_one_is_ready(student, rng):
    """Until the moment at which the new file gets the name, the old content stands under it, complete."""
    for size in (10, 50_000):
        with tempfile.TemporaryDirectory() as folder:
            path, old, new = Path(folder) / "run.pt", rng.randbytes(size), rng.randbytes(size + 1)
            path.write_bytes(old)
            cut = written_until_the_name(student, path, new)
            found = files_in(folder)
            tried = f"{len(new)} bytes; the old file has {len(old)} bytes"
            expect(cut, hint="Which call gives the second file the name of the first in one go?", input=tried)
            expect(
                found.get("run.pt") == old,
                hint="The power went off just before the new name. What is left of the old file?",
                input=tried,
                got=sizes(found),
            )
            expect(
                found.get("run.pt.part") == new,
                hint="The power went off just before the new name. What is in the second file?",
                input=tried,
                got=sizes(found),
            )


@check("checkpoint.write", points=1)
def the_data_is_on_the_disk_before_the_name(student, rng):
    """Before the file gets its name, the program has waited until the disk has all of the data."""
    with tempfile.TemporaryDirectory() as folder:
        path, data, calls = Path(folder) / "run.pt", rng.randbytes(100), []
        path.write_bytes(b"old")
        kept = os.fsync
        os.fsync = lambda *_: calls.append("fsync")
        try:
            written_until_the_name(student, path, data)
        finally:
            os.fsync = kept
        expect(
            "fsync" in calls,
            hint="Which call waits for the disk? Does it come before the new name?",
            input=f"{len(data)} bytes",
            got=calls,
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.pt"
        kept = os.fsync
        os.fsync = os.close  # what Python has not handed over by now is lost
        try:
            written_until_the_name(student, path, data)
        except (OSError, TypeError):  # closed twice, or not a number
            pass
        finally:
            os.fsync = kept
        found = files_in(folder)
        expect(
            data in found.values(),
            hint="What has Python still collected when you call fsync? Who hands it over?",
            input=f"{len(data)} bytes; after fsync nothing more is written",
            got=sizes(found),
        )


# 6. As if nothing had happened


def fresh_run(student, rng, count=8, size=8, steps=30, **options):
    """A small run with random rows; a second one with the same rows comes from `again`."""
    rows = torch.randint(1, 20, (count, 9), generator=rng.torch)

    def again():
        return student.Run(rows.clone(), student.new_model(20, 16, 1), steps, size=size, **options)

    return again


def packed(student, run):
    data = student.pack(run)
    expect(isinstance(data, bytes), hint="`pack` gives back bytes.", got=type(data).__name__)
    return data


def parameters_of(run):
    return {name: values.detach().clone() for name, values in dict(run.model.state_dict()).items()}


def went_on(student, again, before, after, look):
    """What `look` sees in each of the steps `after` a break: without the break, and with it."""
    first = again()
    for _ in range(before):
        first.advance()
    data = packed(student, first)
    undisturbed = [look(first) for _ in range(after)]
    second = again()
    student.unpack(data, second)
    return undisturbed, [look(second) for _ in range(after)]


@check("training.resume", points=2)
def parameters_go_on_as_they_would_have(student, rng):
    """After a break the parameters take the same path as without it."""
    for before in (0, 1, rng.randint(2, 5)):
        again = fresh_run(student, rng, steps=10**9)  # so long that the learning rate hardly changes

        def look(run):
            run.advance()
            return parameters_of(run)

        ours, theirs = went_on(student, again, before, 3, look)
        for number, (a, b) in enumerate(zip(ours, theirs, strict=True), 1):
            worst = max(float((a[name] - b[name]).abs().max()) if name in b else math.inf for name in a)
            expect(
                worst < 1e-6,
                hint="The break came after step {before}. What did the optimiser remember at this moment?",
                input=f"a break after step {before}; step {number} after it",
                got=f"parameters differ by up to {worst:.2g}",
                _before=before,
            )


@check("training.resume", points=1)
def the_learning_rate_goes_on(student, rng):
    """After a break the learning rates of the next steps are the same as without it."""
    for before in (rng.randint(1, 4), rng.randint(8, 15)):

        def look(run):
            run.advance()
            return run.rate()

        ours, theirs = went_on(student, fresh_run(student, rng, warmup=6), before, 3, look)
        right = all(math.isclose(a, b, rel_tol=1e-9) for a, b in zip(ours, theirs, strict=True))
        expect(
            right,
            hint="At which step does the schedule believe it is?",
            input=f"a break after step {before}; without it the rates are {ours}",
            got=theirs,
        )


@check("training.resume", points=1)
def the_same_epoch_goes_on(student, rng):
    """In the middle of an epoch, the windows that are still to come are dealt after the break, in their order."""
    for before in (1, 2, 3):
        again = fresh_run(student, rng, count=16, size=3)  # five deals in an epoch
        ours, theirs = went_on(student, again, before, 5 - before, lambda run: run.deal().tolist())
        expect(
            ours == theirs,
            hint="After step {before} some windows of this epoch had been used. How does the new run know?",
            input=f"16 windows, 3 in a batch, a break after step {before}",
            got=theirs,
            _before=before,
        )


@check("training.resume", points=1)
def random_numbers_go_on(student, rng):
    """The random numbers after the break are those that would have come without it."""
    for before in (1, rng.randint(2, 6)):
        again = fresh_run(student, rng, count=6, size=6)  # each deal is a new epoch
        ours, theirs = went_on(student, again, before, 3, lambda run: run.deal().tolist())
        expect(
            ours == theirs,
            hint="Which part of the run makes the order of the next epoch? Is its state in your bytes?",
            input=f"6 windows, 6 in a batch, a break after step {before}",
            got=theirs,
        )


class Machine:
    """Where the learner's `train` runs in a check: it counts steps, keeps checkpoints, and has a switch.

    Args:
        cut: the power goes off in this step (counted from 1 over the life of the machine), or never.
        in_save: it goes off while the checkpoint number `in_save` is written.
    """

    def __init__(self, cut=None, in_save=None):
        self.cut, self.in_save = cut, in_save
        self.steps, self.stored, self.saves, self.attempts, self.off = 0, None, [], 0, False

    def step(self, run):
        self.steps += 1
        if self.off or self.steps == self.cut:
            self.off = True
            raise PowerCut("The power goes off in the middle of a step.")
        return float(self.steps)

    def save(self, data):
        self.attempts += 1
        if self.off or self.attempts == self.in_save:
            self.off = True
            raise PowerCut("The power goes off while a checkpoint is written.")
        self.stored = data
        self.saves.append(self.steps)

    def load(self):
        return self.stored

    def live(self, student, again, until, every):
        """One life of the program; its run, or None if the power went off."""
        run, self.off = again(), False
        try:
            student.train(run, until, every, self.step, self.save, self.load)
        except PowerCut:
            return None
        return run


@check("training.resume", points=1)
def checkpoints_come_when_they_are_due(student, rng):
    """There is a checkpoint after every so many steps, and the run ends after the step asked for."""
    for until, every in [(1, 1), (3, 1), (6, 3), (7, 3), (5, 9), (rng.randint(8, 14), rng.randint(2, 5))]:
        machine = Machine()
        machine.live(student, fresh_run(student, rng), until, every)
        tried = f"{until} steps, a checkpoint after every {every}"
        expect(machine.steps == until, hint="Count the steps.", input=tried, got=f"{machine.steps} steps")
        due = list(range(every, until + 1, every))
        right = [number for number in machine.saves if number < until or number in due] == due  # one at the end is fine
        expect(right, hint="After which steps must there be a checkpoint?", input=tried, got=f"after {machine.saves}")


@check("training.resume", points=2)
def no_step_is_lost_or_made_twice(student, rng):
    """After any power cut the run goes on from the last checkpoint and ends with one loss for each step."""
    cuts = [{"cut": 1}, {"cut": 3}, {"cut": 4}, {"in_save": 1}, {"in_save": 2}]
    cuts += [{"cut": rng.randint(5, 11)} for _ in range(3)]
    for planted in cuts:
        until, every = rng.randint(11, 14), rng.choice([2, 3])
        again = fresh_run(student, rng)
        machine = Machine(**planted)
        tried = f"{until} steps, a checkpoint after every {every}; the power goes off: {planted}"
        expect(machine.live(student, again, until, every) is None, hint="Let no error disappear.", input=tried)
        kept = machine.saves[-1] if machine.saves else 0
        expect(
            machine.attempts == len(machine.saves) + ("in_save" in planted),
            hint="After a power cut no line of your program runs, no `except` and no `finally`.",
            input=tried,
            got=f"{machine.attempts} attempts to write a checkpoint",
        )
        used, machine.cut, machine.in_save = machine.steps, None, None
        run = machine.live(student, again, until, every)
        losses = [as_number(loss) for loss in list(run.losses)]
        right = [float(number) for number in range(1, kept + 1)]
        right += [float(number) for number in range(used + 1, used + 1 + until - kept)]
        expect(
            losses == right,
            hint="The last checkpoint was made after step {kept}. Which steps are still to be made?",
            input=tried,
            got=losses,
            _kept=kept,
        )


# 7. Half a minute for Tajik


def bits_of(model, tokenizer, texts):
    """Bits per byte of a model of the grader's."""
    nats, size = 0.0, 0
    for text in texts:
        tokens = torch.tensor([[0, *tokenizer.encode(text).ids]])
        with torch.no_grad():
            nats += F.cross_entropy(model(input_ids=tokens[:, :-1]).logits[0], tokens[0, 1:], reduction="sum").item()
        size += len(text.encode())
    return nats / math.log(2) / size


def trained_model(student):
    """The learner's parameters in a model of the grader's, and their tokenizer."""
    trained = student.tajik
    right = isinstance(trained, dict) and isinstance(trained.get("tokenizer"), str)
    expect(
        right and hasattr(trained.get("parameters"), "items"),
        hint="Let the cell above make `tajik`: the parameters and the tokenizer of your run.",
        got=type(trained).__name__,
    )
    state = dict(trained["parameters"])
    table, size = state.get("model.embed_tokens.weight"), 0
    try:
        tokenizer = Tokenizer.from_str(trained["tokenizer"])
        size = json.loads(trained["tokenizer"])["model"]["type"] == "BPE" and tokenizer.get_vocab_size()
    except Exception:
        tokenizer = None
    right = tokenizer is not None and isinstance(table, torch.Tensor) and table.dim() == 2 and len(table) >= size > 0
    expect(right, hint="The model needs a row in its table for each token of the tokenizer.", got=size)
    layers = len({name.split(".")[2] for name in state if name.startswith("model.layers.")})
    model = own_model(state, len(table), table.shape[1], layers)
    expect(model is not None, hint="Keep the architecture of `new_model`.", got=sorted(state)[:3])
    for text in (*PROSE, *MESSAGES):
        back = tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False)
        expect(back == text, hint="The tokenizer must write what it has read.", input=text, got=back)
    return model, tokenizer


@check("language.train", points=3)
def new_text_costs_few_bits(student, rng):
    """Tajik prose and short messages that nobody has trained on cost fewer bits per byte than the bars."""
    model, tokenizer = trained_model(student)
    for texts, bar in [(PROSE, 1.88), (MESSAGES, 1.2)]:
        got = bits_of(model, tokenizer, texts)
        expect(
            got < bar,
            hint="The bar is {bar}. Compare the last losses of your run with those of other learning rates.",
            input=f"{len(texts)} texts, {sum(len(text.encode()) for text in texts)} bytes",
            got=got,
            _bar=bar,
        )


# 8. Draw the next token

DRAWS = 5000


def right_chances(logits, temperature, top_k, top_p):
    """The probabilities by which tokens are to be drawn, with plain numbers and token by token."""
    top = max(logits)
    weights = {token: math.exp((logit - top) / temperature) for token, logit in enumerate(logits)}
    order = sorted(weights, key=weights.get, reverse=True)
    order = order[:top_k] if top_k else order
    total, kept, so_far = sum(weights[token] for token in order), [], 0.0
    for token in order:
        kept.append(token)
        so_far += weights[token] / total
        if top_p < 1 and so_far >= top_p:
            break
    total = sum(weights[token] for token in kept)
    return {token: weights[token] / total for token in kept}


def drawn(student, logits, count, seed, **options):
    got = student.sample(torch.tensor(logits), count, seed, **options)
    tried = {"logits": [round(logit, 2) for logit in logits], **options}
    got = got.tolist() if hasattr(got, "tolist") else got
    right = isinstance(got, (list, tuple)) and len(got) == count
    right = right and all(isinstance(t, int) and 0 <= t < len(logits) for t in got)
    expect(right, hint="Give back a tensor with {count} token numbers.", input=tried, got=got, _count=count)
    return list(got), tried


def departure(student, rng, logits, **options):
    """What to show of draws that do not come with the right probabilities; empty if chi-square is not far off."""
    got, tried = drawn(student, logits, DRAWS, rng.randint(0, 10**6), **options)
    chances = right_chances(logits, options.get("temperature", 1.0), options.get("top_k", 0), options.get("top_p", 1.0))
    counts = [got.count(token) for token in range(len(logits))]
    right = [DRAWS * chances.get(token, 0) for token in range(len(logits))]
    shown = {"input": tried, "got": counts, "expected": [round(number) for number in right]}
    if any(count and not number for count, number in zip(counts, right, strict=True)):
        return shown
    large = [token for token, number in enumerate(right) if number >= 5]
    cells = [(counts[token], right[token]) for token in large]
    rest = (DRAWS - sum(count for count, _ in cells), DRAWS - sum(number for _, number in cells))
    cells += [rest] if rest[1] >= 5 else []
    distance = sum((count - number) ** 2 / number for count, number in cells)
    return {} if chi2.sf(distance, max(1, len(cells) - 1)) > 1e-7 else shown


def some_logits(rng, size):
    """Logits for `size` tokens, of which none is close to another."""
    logits = [1.5 - 3 * place / size + 0.5 / size * rng.random() for place in range(size)]
    rng.shuffle(logits)
    return logits


@check("text.sample", points=1)
def temperature_shapes_the_chances(student, rng):
    """The draws follow the softmax of the logits divided by the temperature, and this comes before top-p."""
    cases = [(some_logits(rng, size), {"temperature": t}) for t in (1.0, 0.5, 2.0) for size in (2, 3, 8)]
    cases.append(([0.0, 1.0, 2.0, 3.0], {"temperature": 0.5, "top_p": 0.8}))
    for logits, options in cases:
        found = departure(student, rng, logits, **options)
        expect(not found, hint="First divide the logits by the temperature. Then compare the counts.", **found)


@check("text.sample", points=1)
def top_k_keeps_the_most_likely(student, rng):
    """With top_k the most likely tokens are drawn, as many as asked for, in their proportions."""
    for size, k in [(3, 1), (3, 2), (5, 3), (5, 5), (4, 9), (10, rng.randint(2, 8))]:
        found = departure(student, rng, some_logits(rng, size), top_k=k)
        expect(not found, hint="Which tokens may be drawn? How do their chances relate to each other?", **found)


@check("text.sample", points=1)
def top_p_keeps_the_smallest_set(student, rng):
    """With top_p the most likely tokens are drawn until their chances reach it, in their proportions."""
    order = rng.sample([0.5, 0.3, 0.15, 0.05], 4)
    logits = [math.log(chance) for chance in order]
    cases = [(logits, top_p) for top_p in (0.3, 0.6, 0.9, 0.97)] + [(some_logits(rng, 9), rng.uniform(0.3, 0.9))]
    for logits, top_p in cases:
        found = departure(student, rng, logits, top_p=top_p)
        expect(not found, hint="Add up the chances in their order. With which token is top_p reached?", **found)


@check("text.sample", points=1)
def top_k_comes_before_top_p(student, rng):
    """With both, top-p counts the chances of those tokens that top-k has left."""
    order = rng.sample([0.3, 0.2, 0.15, 0.14, 0.11, 0.1], 6)
    for top_k, top_p in [(2, 0.55), (3, 0.45), (4, 0.37)]:
        found = departure(student, rng, [math.log(chance) for chance in order], top_k=top_k, top_p=top_p)
        expect(not found, hint="After top-k the chances of the tokens that are left add up to 1 again.", **found)


@check("text.sample", points=1)
def the_seed_decides_and_zero_is_certain(student, rng):
    """The same seed gives the same draws, another seed others; a temperature of 0 gives the best token."""
    logits, seed = [-2.0, *some_logits(rng, 5)], rng.randint(0, 10**6)
    first, tried = drawn(student, logits, 50, seed)
    torch.rand(rng.randint(1, 9))
    same, _ = drawn(student, logits, 50, seed)
    expect(same == first, hint="Two calls with the same seed gave different draws.", input=tried, got=(first, same))
    other, _ = drawn(student, logits, 50, seed + 1)
    expect(other != first, hint="Two seeds gave the same draws.", input=tried, got=(first, other))
    best = max(range(6), key=logits.__getitem__)
    certain, tried = drawn(student, logits, 20, seed, temperature=0.0)
    expect(certain == [best] * 20, hint="Which logit is the largest?", input=tried, got=certain)
