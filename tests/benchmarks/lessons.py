"""``python -m benchmarks.lessons``: what the models of the course reach on this machine, and in what time."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.figures import Section
from benchmarks.report import Report, about_this_machine, load, markdown

from autograder.authoring.rehearsal import in_child, left_behind
from autograder.authoring.unit import find_units, read_unit
from autograder.environment import work_offline

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
PROMPT = "Tajikistan is a country of mountains. Its rivers"
WRITTEN, READ = 48, 512


def main() -> None:
    """Measure the units asked for, print the tables, and write them with a plot to a folder."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lessons", description=__doc__)
    parser.add_argument("units", nargs="*", metavar="UNIT", choices=[*UNITS, []], help=f"of {', '.join(UNITS)}")
    parser.add_argument("--rounds", type=int, default=3, help="of each measurement of speed")
    parser.add_argument("--out", type=Path, default=Path("build/bench-course"), help="where table and plot go")
    options = parser.parse_args()
    work_offline()
    report = Report(about_this_machine(), [load()])
    for unit in options.units or UNITS:
        report.sections += UNITS[unit](options.rounds)
    report.load.append(load())
    report.write(options.out)
    print(markdown(report))


def tiny_gpt(_rounds: int) -> Iterator[Section]:
    """Unit 6: the reference trains once, as a learner's would; its seeds are fixed."""
    found = _left_behind("u06", ["bits_per_byte", "baseline_bits_per_byte", "training_seconds"])
    section = Section("u06", "Unit 6: held-out Tajik text", "bits per byte", "", "Less is better.")
    for name, bits in found["baseline_bits_per_byte"].items():
        section.add(name, bits)
    section.add("tiny GPT", found["bits_per_byte"])
    yield section
    section = Section("u06-time", "Unit 6: training the tiny GPT", "CPU seconds", "", "On one thread.")
    section.add("training", found["training_seconds"])
    yield section


def pretrained(rounds: int) -> Iterator[Section]:
    """Unit 7: SmolLM2 writes and reads with one thread and with two, in turn."""
    speeds = in_child(lambda: list(_speeds(rounds)), 600)
    for what, title in (("write", f"writing {WRITTEN} tokens"), ("read", f"reading {READ} tokens")):
        note = f"{MODEL}, batch of one, float32; the numbers of threads take turns."
        section = Section(f"u07-{what}", f"Unit 7: {title}", "tokens per second", "1 thread", note)
        for done, threads, speed in speeds:
            if done == what:
                section.add(f"{threads} thread{'s' * (threads > 1)}", speed)
        yield section


def _speeds(rounds: int) -> Iterator[tuple[str, int, float]]:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    model = AutoModelForCausalLM.from_pretrained(MODEL).eval()
    prompt = tokenizer(PROMPT, return_tensors="pt")
    long = torch.arange(READ)[None] + 1000

    def write() -> None:
        model.generate(**prompt, do_sample=False, min_new_tokens=WRITTEN, max_new_tokens=WRITTEN)

    def read() -> None:
        with torch.no_grad():
            model(long)

    for number in range(rounds + 1):
        for threads in (1, 2):
            torch.set_num_threads(threads)
            for what, work, tokens in (("write", write, WRITTEN), ("read", read, READ)):
                seconds = _seconds(work)
                if number:  # the first round only warms up
                    yield what, threads, tokens / seconds


def _seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def finetuned(_rounds: int) -> Iterator[Section]:
    """Unit 8: the reference adapts the encoder with three seeds."""
    found = _left_behind("u08", ["macro_f1"])
    note = "More is better; one sample for each of the seeds, which also choose the labelled texts."
    section = Section("u08", "Unit 8: macro-F1 on held-out texts", "macro-F1", "tf-idf", note)
    section.samples = {name: [float(score) for score in scores] for name, scores in found["macro_f1"].items()}
    yield section


def _left_behind(unit: str, names: list[str]) -> dict[str, Any]:
    return left_behind(read_unit(find_units([unit])[0]), names)


UNITS = {"u06": tiny_gpt, "u07": pretrained, "u08": finetuned}


if __name__ == "__main__":
    main()
