"""Hidden checks of unit 02."""

import math
import re
import zlib
from functools import lru_cache
from itertools import chain, product
from numbers import Real

import torch
import torch.nn.functional as F

from autograder.student import check, expect

# Small helpers: random tensors, and a look at what a learner's function gives back.


def as_number(value):
    """A learner's number as a float, or None if it is no number; a tensor or an array with one number is one too."""
    if hasattr(value, "numel") or hasattr(value, "dtype"):
        shape = getattr(value, "shape", None)
        value = value.item() if shape is not None and math.prod(shape) == 1 else None
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else None


def random_tensors(rng, shapes, dtype=torch.float64):
    return [torch.randn(shape, generator=rng.torch, dtype=dtype) for shape in shapes]


def copies(tensors):
    return [None if tensor is None else tensor.detach().clone() for tensor in tensors]


def alike(tensor, other):
    return torch.allclose(tensor.detach().double(), other.detach().double(), rtol=1e-5, atol=1e-6)


def are_tensors(value, like):
    """Whether `value` is a list of tensors of the same shapes as in `like`, and None where that has None."""
    if not isinstance(value, (list, tuple)) or len(value) != len(like):
        return False
    return all(
        item is None if other is None else isinstance(item, torch.Tensor) and item.shape == other.shape
        for item, other in zip(value, like, strict=True)
    )


#: Shapes of parameters, the simplest first.
SHAPES = [[(1,)], [(2,)], [(2,), (1,)], [(2, 3), (), (4,)]]


# Steps. torch's own optimisers say what is right.


def stepped(step, params, grads, state, **settings):
    """New parameters and state of a learner's step, which gets copies of the tensors."""
    got = step(copies(params), copies(grads), state, **settings)
    shown = {"params": params, "grads": grads, **settings}
    pair = isinstance(got, (list, tuple)) and len(got) == 2
    expect(pair, hint="Give back two things: the new parameters and the new state.", input=shown, got=got)
    expect(
        are_tensors(got[0], params),
        hint="The new parameters are a list of tensors, one for each parameter, with the same shapes.",
        input=shown,
        got=got[0],
    )
    return copies(got[0]), got[1]


def path(step, start, gradients, **settings):
    """The parameters after each step, as a learner's function makes them."""
    params, state, points = copies(start), [None] * len(start), []
    for grads in gradients:
        params, state = stepped(step, params, grads, state, **settings)
        points.append(params)
    return points


def torch_path(optimizer_class, start, gradients, **settings):
    """The parameters after each step of one of torch's optimisers."""
    params = [param.clone().requires_grad_() for param in start]
    optimizer, points = optimizer_class(params, **settings), []
    for grads in gradients:
        for param, grad in zip(params, copies(grads), strict=True):
            param.grad = grad
        optimizer.step()
        points.append(copies(params))
    return points


def departure(student_step, optimizer_class, rng, shapes, steps, **settings):
    """What to show of the first step that is not as torch's optimiser makes it; empty if all are."""
    start, gradients = random_tensors(rng, shapes), [random_tensors(rng, shapes) for _ in range(steps)]
    right = torch_path(optimizer_class, start, gradients, **settings)
    got = path(student_step, start, gradients, **settings)
    for number, (ours, theirs) in enumerate(zip(got, right, strict=True), 1):
        if not all(map(alike, ours, theirs)):
            shown = {"params": start, "grads": gradients[:number], **settings}
            return {"input": shown, "got": ours, "torch": theirs, "_number": number}
    return {}


def gradients_with_gaps(rng, shapes, steps, gaps):
    """Gradients for some steps; `gaps` holds (number of the step, place of the parameter) where there is None."""
    gradients = [random_tensors(rng, shapes) for _ in range(steps)]
    return [[None if (n, place) in gaps else grad for place, grad in enumerate(g)] for n, g in enumerate(gradients)]


def expect_rest_without_gradient(student_step, rng, places, **settings):
    """Where a gradient is None the parameter stays, and the others go on."""
    for shapes in ([(1,), (1,)], [(2,), (3,), ()]):
        start = [tensor + 2 for tensor in random_tensors(rng, shapes)]
        for gap in places(len(shapes)):
            gradients = gradients_with_gaps(rng, shapes, 3, {(1, gap)})
            points = [start, *path(student_step, start, gradients, **settings)]
            for place in range(len(shapes)):
                before, after = points[1][place], points[2][place]
                shown = {"params": points[1], "grads": gradients[1], **settings}
                if place == gap:
                    expect(
                        torch.equal(before, after),
                        hint="Parameter number {place} has no gradient in this step. What happens to it?",
                        input=shown,
                        got=points[2],
                        _place=place,
                    )
                else:
                    expect(
                        not torch.equal(before, after),
                        hint="Parameter number {place} has a gradient in this step. Does it move?",
                        input=shown,
                        got=points[2],
                        _place=place,
                    )


def steps_of_others(student_step, rng, **settings):
    """What to show if a parameter that sat out steps is not where its own gradients alone would have brought it."""
    for gaps in ({0}, {1}, {0, 1}, {2, 3}):
        shapes = [(1,), (2,)]
        start = random_tensors(rng, shapes)
        gradients = gradients_with_gaps(rng, shapes, 5, {(number, 1) for number in gaps})
        together = path(student_step, start, gradients, **settings)[-1][1]
        own = [[grads[1]] for grads in gradients if grads[1] is not None]
        alone = path(student_step, [start[1]], own, **settings)[-1][0]
        if torch.equal(together, start[1]) or not alike(together, alone):
            return {"input": {"params": start, "grads": gradients, **settings}, "got": together, "alone": alone}
    return {}


# 1. A step with momentum


@check("sgd.step", points=1)
def plain_steps_go_against_the_gradient(student, rng):
    """Without momentum, the path of the parameters is that of torch's SGD."""
    for shapes in SHAPES:
        found = departure(student.sgd_step, torch.optim.SGD, rng, shapes, 4, lr=rng.uniform(0.1, 1))
        expect(
            not found,
            hint="Look at step number {number}: how far does each parameter move, and in which direction?",
            **found,
        )


@check("sgd.step", points=2)
def momentum_is_that_of_torch(student, rng):
    """With momentum, the path of the parameters is that of torch's SGD."""
    for shapes in SHAPES:
        settings = {"lr": rng.uniform(0.1, 1), "momentum": rng.uniform(0.3, 0.95)}
        found = departure(student.sgd_step, torch.optim.SGD, rng, shapes, 5, **settings)
        expect(
            not found,
            hint="Compute the velocity in step number {number} on paper, from the gradients of all steps so far.",
            **found,
        )


@check("sgd.step", points=1)
def a_step_is_as_long_as_its_own_learning_rate(student, rng):
    """Twice the learning rate makes this step twice as long, whatever the learning rate was before."""
    for shapes in SHAPES:
        start, lr = random_tensors(rng, shapes), rng.uniform(0.1, 1)
        gradients = [random_tensors(rng, shapes) for _ in range(3)]
        lengths = []
        for factor in (1, 2):
            params, state = copies(start), [None] * len(start)
            for number, grads in enumerate(gradients):
                before = params
                settings = {"lr": lr * factor if number == 2 else lr, "momentum": 0.8}
                params, state = stepped(student.sgd_step, params, grads, state, **settings)
            lengths.append([after - point for after, point in zip(params, before, strict=True)])
        moved = any(bool(length.abs().max() > 1e-6) for length in lengths[0])
        expect(
            moved and all(alike(2 * once, twice) for once, twice in zip(*lengths, strict=True)),
            hint="The learning rate changed before the third step. Does your state still hold the old one?",
            input={"params": start, "grads": gradients, "lr": lr},
            got=lengths,
        )


@check("sgd.step", points=2)
def none_is_not_zero(student, rng):
    """A parameter without a gradient stays, and so does its velocity."""
    settings = {"lr": rng.uniform(0.1, 1), "momentum": 0.9}
    expect_rest_without_gradient(student.sgd_step, rng, range, **settings)
    found = steps_of_others(student.sgd_step, rng, **settings)
    expect(
        not found,
        hint="The second parameter sat out some steps. What happened to its velocity meanwhile?",
        **found,
    )


# 2. Batches


def batches_of(student, count, size, seed, epoch):
    """A learner's batches as lists of numbers."""
    got = student.epoch_batches(count, size, seed, epoch)
    shown = {"count": count, "size": size, "seed": seed, "epoch": epoch}
    expect(isinstance(got, (list, tuple)), hint="Give back a list of lists of numbers.", input=shown, got=got)
    lists = [batch.tolist() if hasattr(batch, "tolist") else batch for batch in got]
    numbers = all(isinstance(batch, (list, tuple)) and all(isinstance(n, int) for n in batch) for batch in lists)
    expect(numbers, hint="Give back a list of lists of numbers.", input=shown, got=got)
    return [list(batch) for batch in lists]


#: (number of examples, size of a batch), the smallest first.
COUNTS = [(1, 1), (2, 1), (1, 3), (3, 3), (4, 3), (5, 3), (6, 3), (17, 5), (20, 4), (33, 32)]


@check("batches.shuffle", points=1)
def an_epoch_holds_each_example_once(student, rng):
    """In an epoch each example is used exactly once, the last ones included."""
    for count, size in COUNTS:
        batches = batches_of(student, count, size, rng.randrange(1000), rng.randrange(10))
        numbers = sorted(number for batch in batches for number in batch)
        expect(
            numbers == list(range(count)),
            hint="Collect the numbers of all batches and sort them.",
            input={"count": count, "size": size},
            got=batches,
        )


@check("batches.shuffle", points=1)
def only_the_last_batch_is_smaller(student, rng):
    """All batches but the last have the size that was asked for, and no batch is empty or larger."""
    for count, size in COUNTS:
        batches = batches_of(student, count, size, rng.randrange(1000), rng.randrange(10))
        sizes = [len(batch) for batch in batches]
        right = len(sizes) >= count // size and set(sizes[:-1]) <= {size} and all(0 < each <= size for each in sizes)
        expect(right, hint="How long is each batch?", input={"count": count, "size": size}, got=batches)


@check("batches.shuffle", points=1)
def each_epoch_mixes_anew(student, rng):
    """Another epoch, or another seed, puts other examples together."""
    count, size = rng.randint(50, 80), rng.randint(5, 9)
    seed, epoch = rng.randrange(1000), rng.randrange(1, 10)
    cases = [(seed, epoch), (seed, epoch + 1), (seed, 0), (seed + 1, epoch), (seed, epoch + 2)]
    groups = []
    for case in cases:
        batches = batches_of(student, count, size, *case)
        groups.append({frozenset(batch) for batch in batches})
        in_order = [number for batch in batches for number in batch] == list(range(count))
        expect(
            not in_order,
            hint="These batches are not mixed at all.",
            input={"count": count, "size": size},
            got=batches[:2],
        )
    for case, group in zip(cases[1:], groups[1:], strict=True):
        expect(
            group != groups[0],
            hint="With seed and epoch {first} and with {second} the same examples stand together.",
            input={"count": count, "size": size},
            got=[sorted(batch) for batch in group][:2],
            _first=cases[0],
            _second=case,
        )


@check("batches.shuffle", points=1)
def the_same_numbers_give_the_same_batches(student, rng):
    """The same seed and epoch give the same batches, whatever happened in between."""
    for count in (10, 20, 40):
        case = (count, 4, rng.randrange(1000), rng.randrange(10))
        first = batches_of(student, *case)
        batches_of(student, count, 4, rng.randrange(1000), rng.randrange(10))
        again = batches_of(student, *case)
        expect(
            first and first == again,
            hint="After a power cut this epoch could not be repeated. Which generator does your order come from?",
            input=dict(zip(("count", "size", "seed", "epoch"), case, strict=True)),
            got=(first, again),
        )


# 3. The training loop. Each batch is a number that pulls all parameters towards itself; each check looks at one thing.


def are_all_tensors(value):
    return isinstance(value, (list, tuple)) and all(isinstance(item, torch.Tensor) for item in value)


def pull(params, batch):
    """Loss and gradients of half the squared distance from a number."""
    expect(are_all_tensors(params), hint="`gradient` takes the list of all parameters first.", got=params)
    expect(isinstance(batch, float), hint="`gradient` takes one batch behind the parameters.", got=batch)
    distances = [param - batch for param in params]
    return sum(float((distance**2).sum()) / 2 for distance in distances), distances


def plain_step(params, grads, state, lr):
    expect(are_all_tensors(params), hint="`step` takes the list of all parameters first.", got=params)
    expect(are_all_tensors(grads), hint="`step` takes the list of gradients behind the parameters.", got=grads)
    expect(as_number(lr) is not None, hint="`step` takes the learning rate at the end: a number.", got=lr)
    return [param - as_number(lr) * grad for param, grad in zip(params, grads, strict=True)], state


def same_grads(grads):
    return grads, 0.0


def always(number):
    return 0.25


def trained(student, start, batches, gradient=pull, step=plain_step, schedule=always, clip=same_grads):
    """The last parameters and the losses of a learner's loop."""
    got = student.train(copies(start), list(batches), gradient, step, schedule, clip)
    pair = isinstance(got, (list, tuple)) and len(got) == 2
    expect(pair, hint="Give back two things: the last parameters and the losses.", input=batches, got=got)
    params, losses = got
    expect(are_tensors(params, start), hint="Give back the list of the last parameters.", input=batches, got=params)
    expect(isinstance(losses, (list, tuple)), hint="Give back the losses as a list.", input=batches, got=losses)
    return copies(params), [as_number(loss) for loss in losses]


def random_training(rng):
    """Parameters to start from and batches, the shortest training first."""
    for number in range(1, 7):
        start = random_tensors(rng, [(1,)] if number < 3 else [(2,), (1,)])
        yield start, [rng.uniform(-3, 3) for _ in range(number)]


@check("training.loop", points=1)
def every_batch_moves_the_newest_parameters(student, rng):
    """Each batch is used once, in order, and its gradient is taken at the newest parameters."""
    for start, batches in random_training(rng):
        right = start
        for batch in batches:
            right = [param + 0.25 * (batch - param) for param in right]
        got, _ = trained(student, start, batches)
        expect(
            all(map(alike, got, right)),
            hint="Follow one parameter on paper. At which point is each gradient computed, and where does it end?",
            input={"params": start, "batches": batches},
            got=got,
            right=right,
        )


@check("training.loop", points=1)
def the_step_gets_what_clip_gave_back(student, rng):
    """The gradients of a step are those that `clip` gave back for the gradients of its batch."""
    for start, batches in random_training(rng):
        given, used = [], []

        def quarter(grads):
            expect(are_all_tensors(grads), hint="`clip` takes the list of gradients.", got=grads)
            given.append([grad / 4 for grad in grads])
            return given[-1], 1.0

        def watching(params, grads, state, lr):
            expect(are_all_tensors(grads), hint="`step` takes the list of gradients behind the parameters.", got=grads)
            used.append(copies(grads))
            return plain_step(params, grads, state, lr)

        trained(student, start, batches, step=watching, clip=quarter)
        right = len(used) == len(given) == len(batches) and all(
            all(map(alike, *pair)) for pair in zip(used, given, strict=True)
        )
        expect(
            right,
            hint="Here `clip` makes all gradients four times shorter. Who uses what it gives back?",
            input=batches,
            got=used,
            clipped=given,
        )


@check("training.loop", points=1)
def each_step_has_its_own_rate(student, rng):
    """The first step is made with the rate for number 0, the next with that for number 1, and so on."""
    for start, batches in random_training(rng):
        rates, used = [rng.uniform(0.05, 0.9) for _ in range(20)], []

        def schedule(number):
            right = isinstance(number, int) and 0 <= number < 20
            expect(right, hint="`schedule` takes the number of the step.", got=number)
            return rates[number]

        def watching(params, grads, state, lr):
            used.append(as_number(lr))
            return plain_step(params, grads, state, lr)

        trained(student, start, batches, step=watching, schedule=schedule)
        expect(
            used == rates[: len(batches)],
            hint="Print the number that you pass to `schedule` in each step.",
            input=batches,
            got=used,
            rates=rates[: len(batches) + 1],
        )


@check("training.loop", points=1)
def the_state_is_handed_on(student, rng):
    """Each step gets the state that the step before gave back, and the first one a list of None."""
    for start, batches in random_training(rng):
        used = []

        def counting(params, grads, state, lr):
            used.append(list(state) if isinstance(state, (list, tuple)) else state)
            return plain_step(params, grads, state, lr)[0], [len(used)] * len(params)

        trained(student, start, batches, step=counting)
        right = [[number or None] * len(start) for number in range(len(batches))]
        expect(
            used == right,
            hint="What does the second step know of the first?",
            input=batches,
            got=used,
        )


@check("training.loop", points=1)
def the_losses_are_written_down(student, rng):
    """The losses are those of the batches in their order, each before its step."""
    for start, batches in random_training(rng):
        steps = []

        def counted_loss(params, batch):
            return batch + 10.0 * len(steps), pull(params, batch)[1]

        def counting(params, grads, state, lr):
            steps.append(lr)
            return plain_step(params, grads, state, lr)

        _, got = trained(student, start, batches, gradient=counted_loss, step=counting)
        right = [batch + 10.0 * number for number, batch in enumerate(batches)]
        expect(
            got == right,
            hint="One loss for each batch, as `gradient` gave it. How many do you have, and from when?",
            input=batches,
            got=got,
            right=right,
        )


@check("training.loop", points=1)
def training_stops_at_a_loss_that_is_not_finite(student, rng):
    """The first loss that is not finite ends the training: it is written down, and no step is made with it."""
    for start, batches in random_training(rng):
        for bad in (math.nan, math.inf):
            place, steps = rng.randrange(len(batches)), []
            broken = batches[place]

            def breaking(params, batch):
                loss, grads = pull(params, batch)
                return (bad, [grad * math.nan for grad in grads]) if batch == broken else (loss, grads)

            def counting(params, grads, state, lr):
                steps.append(lr)
                return plain_step(params, grads, state, lr)

            _, losses = trained(student, start, batches, gradient=breaking, step=counting)
            expect(
                len(losses) == place + 1 and losses[-1] is not None and not math.isfinite(losses[-1]),
                hint="The loss of batch number {place} is {bad}. Which losses should the list hold?",
                input=batches,
                got=losses,
                _place=place,
                _bad=bad,
            )
            expect(
                len(steps) == place,
                hint="The loss of batch number {place} is {bad}. How many steps should there be before it?",
                input=batches,
                got=len(steps),
                _place=place,
                _bad=bad,
            )


# 4. AdamW


def random_betas(rng):
    return rng.uniform(0.5, 0.95), rng.uniform(0.9, 0.999)


@check("adamw.step", points=2)
def averages_and_correction_are_those_of_torch(student, rng):
    """Without weight decay, the path of the parameters is that of torch's AdamW."""
    for shapes in SHAPES:
        for eps in (1e-8, 0.1):
            settings = {"lr": rng.uniform(0.05, 0.5), "betas": random_betas(rng), "eps": eps, "weight_decay": 0.0}
            found = departure(student.adamw_step, torch.optim.AdamW, rng, shapes, 5, **settings)
            expect(
                not found,
                hint="Up to step number {number}, write down both averages, and what they are divided by.",
                **found,
            )


@check("adamw.step", points=1)
def decay_stays_out_of_the_averages(student, rng):
    """Weight decay takes its share of the parameter before the step, and changes nothing else."""
    for shapes in SHAPES:
        start = [tensor + 3 for tensor in random_tensors(rng, shapes)]
        gradients = [random_tensors(rng, shapes) for _ in range(4)]
        settings = {"lr": rng.uniform(0.1, 0.4), "betas": random_betas(rng)}
        share = rng.uniform(0.1, 0.4)
        decayed = [start, *path(student.adamw_step, start, gradients, weight_decay=share, **settings)]
        free = [start, *path(student.adamw_step, start, gradients, weight_decay=0.0, **settings)]
        for number in range(len(gradients)):
            for place in range(len(shapes)):
                step = free[number + 1][place] - free[number][place]
                right = decayed[number][place] * (1 - settings["lr"] * share) + step
                expect(
                    alike(decayed[number + 1][place], right),
                    hint="In step number {number}, compare with the same step without decay. "
                    "The difference should be the learning rate times the decay times the old parameter.",
                    input={"params": start, "grads": gradients[: number + 1], "weight_decay": share, **settings},
                    got=decayed[number + 1][place],
                    right=right,
                    _number=number + 1,
                )


@check("adamw.step", points=1)
def nothing_decays_without_a_gradient(student, rng):
    """A parameter without a gradient stays exactly as it is, and the parameters around it move."""
    expect_rest_without_gradient(student.adamw_step, rng, range, lr=rng.uniform(0.05, 0.5), weight_decay=0.2)


@check("adamw.step", points=1)
def each_parameter_counts_its_own_steps(student, rng):
    """A step without a gradient does not count in the averages and the correction of that parameter."""
    settings = {"lr": rng.uniform(0.05, 0.5), "betas": random_betas(rng), "weight_decay": 0.0}
    found = steps_of_others(student.adamw_step, rng, **settings)
    expect(
        not found,
        hint="The second parameter sat out some steps. Which number does its next step have?",
        **found,
    )


# 5. Limit the gradients


def clipped(student, grads, limit):
    """A learner's gradients and norm."""
    got = student.clip_gradients(copies(grads), limit)
    shown = {"grads": grads, "limit": limit}
    pair = isinstance(got, (list, tuple)) and len(got) == 2
    expect(pair, hint="Give back two things: the gradients and the norm.", input=shown, got=got)
    expect(
        are_tensors(got[0], grads),
        hint="Give back a list of gradients of the same shapes, with None where None was.",
        input=shown,
        got=got[0],
    )
    return copies(got[0]), as_number(got[1])


def with_norm(rng, shapes, norm):
    """Random gradients that have this norm together."""
    grads = random_tensors(rng, shapes, torch.float32)
    length = torch.cat([grad.reshape(-1) for grad in grads]).norm()
    return [grad * (norm / length) for grad in grads]


@check("gradients.clip", points=2)
def above_the_limit_all_are_shortened_alike(student, rng):
    """Gradients that are too long together get the norm of the limit and keep their direction."""
    for shapes in SHAPES:
        for excess in (1.01, 1.5, 40):
            limit = rng.uniform(0.1, 3)
            grads = with_norm(rng, shapes, limit * excess)
            got, _ = clipped(student, grads, limit)
            close = all(
                torch.allclose(ours.double(), grad.double() / excess, rtol=1e-3, atol=1e-6)
                for ours, grad in zip(got, grads, strict=True)
            )
            expect(
                close,
                hint="The norm of all gradients together is {norm}, the limit {limit}. What is the one factor?",
                input=grads,
                got=got,
                _norm=round(limit * excess, 3),
                _limit=round(limit, 3),
            )


@check("gradients.clip", points=1)
def below_the_limit_nothing_changes(student, rng):
    """Gradients that are short enough together come back exactly as they were, zeros too."""
    for shapes in SHAPES:
        for share in (0.0, 0.99, 0.5, 0.01):
            limit = rng.uniform(0.1, 3)
            grads = with_norm(rng, shapes, limit * share)
            got, _ = clipped(student, grads, limit)
            expect(
                all(map(torch.equal, got, grads)),
                hint="The norm of all gradients together is {norm}, the limit {limit}. Is there anything to do?",
                input=grads,
                got=got,
                _norm=round(limit * share, 3),
                _limit=round(limit, 3),
            )


@check("gradients.clip", points=1)
def the_norm_is_that_from_before(student, rng):
    """The number that comes back is the norm of all gradients before they were shortened."""
    for shapes in SHAPES:
        for share in (0.5, 3):
            limit = rng.uniform(0.1, 3)
            grads = with_norm(rng, shapes, limit * share)
            _, got = clipped(student, grads, limit)
            expect(
                got is not None and math.isclose(got, limit * share, rel_tol=1e-4),
                hint="When do you compute the norm, and of what?",
                input={"grads": grads, "limit": limit},
                got=got,
            )


@check("gradients.clip", points=1)
def none_keeps_its_place(student, rng):
    """A None counts nothing and stays where it was, also if there is nothing else."""
    for shapes in SHAPES:
        for share in (0.5, 3):
            grads, limit = with_norm(rng, shapes, share), 1.0
            without, norm = clipped(student, grads, limit)
            place = rng.randrange(len(grads) + 1)
            got, same = clipped(student, [*grads[:place], None, *grads[place:]], limit)
            right = got[place] is None and all(map(torch.equal, got[:place] + got[place + 1 :], without))
            expect(
                right and same == norm and norm != 0,
                hint="Compare with the same gradients without the None.",
                input=[*grads[:place], None, *grads[place:]],
                got=got,
            )
    got, norm = clipped(student, [None, None], 1.0)
    expect(got == [None, None] and norm == 0, hint="How long is nothing?", input=[None, None], got=(got, norm))


# 6. A schedule for the learning rate


def rate_of(student, **settings):
    """A learner's rate as a float."""
    got = as_number(student.learning_rate(**settings))
    expect(got is not None, hint="Give back a number.", input=settings, got=got)
    return got


def close(number, other):
    return math.isclose(number, other, rel_tol=1e-6, abs_tol=1e-9)


def torch_cosine(peak, steps, floor):
    """The rates of torch's own half wave from the peak down to the floor, in `steps` steps."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=peak)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps, eta_min=floor)
    rates = []
    for _ in range(steps + 1):
        rates.append(scheduler.get_last_lr()[0])
        optimizer.step()
        scheduler.step()
    return rates


def plan(peak, warmup, length, floor):
    """Settings with `length` steps behind the warm-up."""
    return {"peak": peak, "warmup": warmup, "total": warmup + length, "floor": floor}


@check("rate.schedule", points=1)
def the_warm_up_is_a_straight_line_from_zero(student, rng):
    """During the warm-up the rate grows by the same amount in each step, from 0 in step 0."""
    for warmup in (1, 2, 3, rng.randint(4, 20)):
        settings = plan(rng.uniform(0.1, 2), warmup, rng.randint(1, 30), rng.choice([0.0, 0.05]))
        for step in range(warmup):
            got = rate_of(student, step=step, **settings)
            expect(
                close(got, settings["peak"] * step / warmup),
                hint="What is the rate at the beginning of the warm-up, and by how much does it grow in each step?",
                input={"step": step, **settings},
                got=got,
            )


@check("rate.schedule", points=2)
def behind_the_warm_up_half_a_cosine(student, rng):
    """From the end of the warm-up to the last step the rate follows half a cosine from the peak to the floor."""
    for length in (1, 2, 3, 4, rng.randint(5, 30)):
        for floor in (0.0, rng.uniform(0.05, 0.4)):
            settings = plan(rng.uniform(0.5, 2), rng.randint(1, 10), length, floor)
            for place, right in enumerate(torch_cosine(settings["peak"], length, floor)):
                step = settings["warmup"] + place
                got = rate_of(student, step=step, **settings)
                expect(
                    close(got, right),
                    hint="This is step {place} of {length} behind the warm-up. How much of the way down is that?",
                    input={"step": step, **settings},
                    got=got,
                    _place=place,
                    _length=length,
                )


@check("rate.schedule", points=1)
def behind_the_end_stays_the_floor(student, rng):
    """Behind the last step the rate stays at the floor."""
    for length in (1, 2, 5, rng.randint(6, 30)):
        for floor in (0.0, rng.uniform(0.05, 0.4)):
            settings = plan(rng.uniform(0.5, 2), rng.randint(0, 10), length, floor)
            for beyond in (1, 2, length, 2 * length, 100):
                step = settings["total"] + beyond
                got = rate_of(student, step=step, **settings)
                expect(
                    close(got, floor),
                    hint="Training went on for longer than planned. What does a cosine do then?",
                    input={"step": step, **settings},
                    got=got,
                )


@check("rate.schedule", points=1)
def without_a_warm_up_the_peak_comes_first(student, rng):
    """With a warm-up of 0 steps the first step has the peak rate."""
    for length in (1, 2, rng.randint(3, 30)):
        settings = plan(rng.uniform(0.5, 2), 0, length, 0.0)
        got = rate_of(student, step=0, **settings)
        expect(
            close(got, settings["peak"]),
            hint="Which of the three regions is step 0 in, if there is no warm-up?",
            input={"step": 0, **settings},
            got=got,
        )


# Real training runs, for the last two exercises. The model is the one of the notebook.

PIECES, WIDTH = 4096, 16


@lru_cache
def pairs():
    """Two words in Tajik, as typed on a Russian keyboard, and the same in Russian."""
    import datasets

    datasets.logging.set_verbosity_error()  # its notices would go to the standard error of a graded cell
    keyboard, word = str.maketrans("ғӣқӯҳҷ", "гикухч"), re.compile("[а-яёғӣқӯҳҷ]+")
    table, found, seen = datasets.load_dataset("ustod/tajik-interface", split="train"), [], set()
    for texts in zip(table["tg"][:], table["ru"][:], strict=True):
        pair = tuple(" ".join(word.findall((text or "").lower())[:2]).translate(keyboard) for text in texts)
        if all(" " in text for text in pair) and pair[0] != pair[1] and seen.isdisjoint(pair):
            seen.update(pair)
            found.append(pair)
    return found


def pieces(text):
    """The numbers of all groups of one to three neighbouring letters."""
    text = f" {text} "
    groups = [text[start : start + size] for size in (1, 2, 3) for start in range(len(text) - size + 1)]
    return torch.tensor([zlib.crc32(group.encode()) % PIECES for group in groups])


def drawn(rng, *sizes):
    """Different messages, in groups of these sizes; each example is its pieces and its language."""
    chosen = rng.sample(pairs(), sum(sizes))
    examples = [[(pieces(text), language) for language, text in enumerate(pair)] for pair in chosen]
    ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]
    return [list(chain.from_iterable(examples[end - size : end])) for end, size in zip(ends, sizes, strict=True)]


def scores(params, batch):
    begins = torch.tensor([0] + [len(numbers) for numbers, _ in batch[:-1]]).cumsum(0)
    averages = F.embedding_bag(torch.cat([numbers for numbers, _ in batch]), params[0], begins, mode="mean")
    return torch.tanh(averages) @ params[1] + params[2]


def loss_of(params, batch):
    return F.cross_entropy(scores(params, batch), torch.tensor([language for _, language in batch]))


def start_params(rng):
    table = 0.1 * torch.randn(PIECES, WIDTH, generator=rng.torch)
    matrix = 0.25 * torch.randn(WIDTH, 2, generator=rng.torch)
    return [param.requires_grad_() for param in (table, matrix, torch.zeros(2))]


def step_on(params, optimizer, batch, limit=None):
    """One step of torch's optimiser; the loss before it."""
    optimizer.zero_grad()
    loss = loss_of(params, batch)
    loss.backward()
    if limit is not None:
        torch.nn.utils.clip_grad_norm_(params, limit)
    optimizer.step()
    return loss.item()


# 7. What is wrong with this run?

#: How the planted runs differ from a healthy one.
PLANTED = {
    "healthy": {},
    "diverging": {},
    "too slow": {"lr": 0.001},
    "overfitting": {"lr": 1.0, "messages": 80, "epochs": 50, "size": 16, "wrong": 0.3},
    "not shuffled": {"lr": 2.0, "momentum": 0.0, "in_order": True},
}


def planted_run(rng, lr=0.7, momentum=0.9, messages=240, epochs=8, size=32, wrong=0.0, in_order=False):
    """The losses of a real run: of each step, and of each epoch on other messages."""
    data, valid = drawn(rng, messages, 300)
    data = [(numbers, 1 - language if rng.random() < wrong else language) for numbers, language in data]
    data.sort(key=lambda example: example[1])
    params, losses, valid_losses = start_params(rng), [], []
    optimizer = torch.optim.SGD(params, lr=lr, momentum=momentum)
    for _ in range(epochs):
        if not in_order:
            rng.shuffle(data)
        batches = [data[start : start + size] for start in range(0, len(data) - size + 1, size)]
        losses += [step_on(params, optimizer, batch) for batch in batches]
        with torch.no_grad():
            valid_losses.append(loss_of(params, valid).item())
    return losses, valid_losses


#: Factors that turn a loss in nats into one in nats or in bits.
UNITS = (1.0, 1 / math.log(2))


def shows(verdict, losses, valid_losses):
    """Whether a run is as the notebook describes its kind; now and then chance makes one that is not."""
    rise, left = valid_losses[-1] / min(valid_losses), sum(losses[-5:]) / 5 / losses[0]
    if verdict == "healthy":
        return rise < 1.2 and left < 0.5
    if verdict == "overfitting":
        return rise > 1.5 and left < 0.5
    return left > 0.9 if verdict == "too slow" else True


def verdict_on(student, rng, verdict, unit, **changes):
    """A learner's verdict on a new run of this kind, and what to show of the run."""
    planted = PLANTED[verdict] | changes
    planted["lr"] = planted.get("lr", 0.7) * (1 if changes else rng.uniform(0.6, 1.4))
    planted["epochs"] = planted.get("epochs", 8) + rng.randint(-1, 2)
    run = planted_run(rng, **planted)
    while not shows(verdict, *run):
        run = planted_run(rng, **planted)
    losses, valid_losses = ([loss * unit for loss in each] for each in run)
    per_epoch = len(losses) // len(valid_losses)
    shown = {
        "first loss": round(losses[0], 3),
        "last epoch": [round(loss, 3) for loss in losses[-per_epoch:]],
        "valid_losses": [round(loss, 3) for loss in valid_losses],
    }
    got = student.diagnose(list(losses), list(valid_losses))
    expect(isinstance(got, str) and got in PLANTED, hint="Give back one of the five words.", input=shown, got=got)
    return got, shown


def rising(rng, factor):
    """Losses that no model made: training falls to nearly nothing, validation ends at `factor` times its lowest."""
    lowest, unit = rng.uniform(0.1, 0.4), rng.choice(UNITS)
    valid = [0.6, *(lowest * (1 + (factor - 1) * number / 8) for number in range(9))]
    return [unit * 0.7 * 0.97**step for step in range(100)], [unit * loss for loss in valid]


def expect_other(student, rng, verdict, other):
    """A run of another kind is not taken for one of this kind."""
    got, shown = verdict_on(student, rng, other, rng.choice(UNITS))
    expect(got != verdict, hint="This run has something else. What do you go by?", input=shown, got=got)


@check("training.diagnose", points=1)
def a_diverging_run_is_recognised(student, rng):
    """A run whose training loss ends far above its beginning, or is not finite, is diverging."""
    for unit, rate in product(UNITS, (1e38, rng.uniform(40, 120))):
        got, shown = verdict_on(student, rng, "diverging", unit, lr=rate)
        expect(
            got == "diverging",
            hint="Compare the last epoch with the first loss. And how does Python compare numbers with nan?",
            input=shown,
            got=got,
        )
    expect_other(student, rng, "diverging", "healthy")


@check("training.diagnose", points=1)
def a_slow_run_is_recognised(student, rng):
    """A run that has hardly learned anything is too slow."""
    for unit in UNITS:
        got, shown = verdict_on(student, rng, "too slow", unit)
        expect(
            got == "too slow",
            hint="How much of the first loss is left in the last epoch, on average?",
            input=shown,
            got=got,
        )
    expect_other(student, rng, "too slow", "healthy")


@check("training.diagnose", points=1)
def an_overfitting_run_is_recognised(student, rng):
    """A run whose validation loss has long passed its lowest point is overfitting."""
    for factor in (3.0, 2.0, rng.uniform(1.55, 1.7)):
        losses = rising(rng, factor)
        got = student.diagnose(*map(list, losses))
        expect(
            got == "overfitting",
            hint="Where is the lowest validation loss, and what comes after it?",
            input=losses[1],
            got=got,
        )
    for unit in UNITS:
        got, shown = verdict_on(student, rng, "overfitting", unit)
        expect(
            got == "overfitting",
            hint="Where is the lowest validation loss, and what comes after it?",
            input=shown,
            got=got,
        )
    expect_other(student, rng, "overfitting", "too slow")


@check("training.diagnose", points=1)
def a_run_in_order_is_recognised(student, rng):
    """A run whose training loss has its peaks at the same places of each epoch was not shuffled."""
    for unit in UNITS:
        got, shown = verdict_on(student, rng, "not shuffled", unit)
        expect(
            got == "not shuffled",
            hint="Lay the epochs of the training loss one under the other, and look at the columns.",
            input=shown,
            got=got,
        )
    expect_other(student, rng, "not shuffled", "healthy")


@check("training.diagnose", points=1)
def a_healthy_run_is_left_in_peace(student, rng):
    """A run that learns, with a little noise, is healthy, and not every run is."""
    for factor in (1.0, rng.uniform(1.05, 1.19)):
        losses = rising(rng, factor)
        got = student.diagnose(*map(list, losses))
        expect(got == "healthy", hint="What made your function suspicious of this run?", input=losses[1], got=got)
    for unit in UNITS:
        got, shown = verdict_on(student, rng, "healthy", unit)
        expect(got == "healthy", hint="What made your function suspicious of this run?", input=shown, got=got)
    verdicts = [verdict_on(student, rng, verdict, 1.0)[0] for verdict in ("overfitting", "too slow")]
    expect(set(verdicts) != {"healthy"}, hint="Is every run healthy?", got=verdicts)


# 8. Tune a run

DEFAULTS = {"warmup": 0, "floor": 0.0, "momentum": 0.0, "weight_decay": 0.01, "limit": None}


def usable(settings, steps):
    """A learner's settings with the defaults filled in, after a look at them."""
    expect(isinstance(settings, dict), hint="Give back a dictionary of settings.", input=steps, got=settings)
    known = {"method", "lr", *DEFAULTS}
    expect(set(settings) <= known, hint="There is a setting that nobody knows.", input=steps, got=settings)
    expect(settings.get("method") in ("sgd", "adamw"), hint="Which method is it?", input=steps, got=settings)
    numbers = {name: as_number(value) for name, value in (DEFAULTS | settings).items() if name != "method"}
    if (DEFAULTS | settings)["limit"] is None:
        numbers["limit"] = math.inf
    fine = None not in [*numbers.values(), numbers.get("lr")] and all(number >= 0 for number in numbers.values())
    expect(fine, hint="All settings but the method are numbers, and none is negative.", input=steps, got=settings)
    sensible = 0 < numbers["lr"] < 1e6 and numbers["limit"] > 0 and numbers["warmup"] < steps
    expect(
        sensible,
        hint="The learning rate and the limit are above 0, and the warm-up is shorter than the run.",
        input=steps,
        got=settings,
    )
    return numbers | {"method": settings["method"]}


def rate_at(number, settings, steps):
    """The schedule of Exercise 6."""
    if number < settings["warmup"]:
        return settings["lr"] * number / settings["warmup"]
    way = (number - settings["warmup"]) / (steps - settings["warmup"])
    return settings["floor"] + (settings["lr"] - settings["floor"]) * math.cos(math.pi * way / 2) ** 2


def held_out_loss(rng, settings, steps):
    """The loss on held-out messages after a run with these settings."""
    data, held_out = drawn(rng, 1500, 1000)
    params, batches = start_params(rng), []
    if settings["method"] == "sgd":
        optimizer = torch.optim.SGD(params, lr=1.0, momentum=settings["momentum"])
    else:
        optimizer = torch.optim.AdamW(params, lr=1.0, weight_decay=settings["weight_decay"])
    for number in range(steps):
        if not batches:
            rng.shuffle(data)
            batches = [data[start : start + 32] for start in range(0, len(data), 32)]
        optimizer.param_groups[0]["lr"] = rate_at(number, settings, steps)
        step_on(params, optimizer, batches.pop(), settings["limit"])
    with torch.no_grad():
        return loss_of(params, held_out).item()


def expect_loss(student, rng, steps, bar, runs):
    """The average loss of several runs is below the bar."""
    settings = usable(student.settings_for(steps), steps)
    losses = [held_out_loss(rng, settings, steps) for _ in range(runs)]
    average = sum(losses) / runs
    expect(
        average < bar,
        hint="In {runs} runs of {steps} steps the average loss was {average}; the bar is {bar}. "
        "Which setting did you try last, and by which factor did you change it?",
        input=steps,
        got=settings,
        _runs=runs,
        _steps=steps,
        _average=round(average, 3),
        _bar=bar,
    )


@check("training.tune", points=3, seconds=30)
def three_hundred_steps_are_enough(student, rng):
    """With a budget of 300 steps the loss on held-out messages is below the bar."""
    expect_loss(student, rng, 300, 0.052, runs=3)


@check("training.tune", points=2, seconds=30)
def forty_steps_are_enough(student, rng):
    """With a budget of 40 steps the loss on held-out messages is below its bar."""
    expect_loss(student, rng, 40, 0.12, runs=4)
