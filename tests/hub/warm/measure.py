"""``python -m hub.warm.measure`` (as root, from ``tests``): what warm kernels cost beside cold ones, as JSON.

Seconds from asking for a kernel to the first answer of a cell that imports torch and transformers; MiB of memory of
each kernel, alone and five together; and with the weights of a small model, loaded in two kernels.
"""

from __future__ import annotations

import json
import os
import statistics
from pathlib import Path
from typing import Any

from hub.warm.namespace import Daemon, Machine

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"

PROGRAM = """
import sys
from notebook import *
import time
def memory(pid):
    lines = open(f"/proc/{pid}/smaps_rollup").read().splitlines()[1:]
    sizes = {name: int(size.split()[0]) / 1024 for name, size in (line.split(":") for line in lines)}
    return {"Rss": sizes["Rss"], "Pss": sizes["Pss"], "Uss": sizes["Private_Clean"] + sizes["Private_Dirty"],
            "Anonymous": sizes["Anonymous"]}
async def program():
    kernel, number, code = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    async with contextlib.AsyncExitStack() as stack:
        began = time.monotonic()
        async def one():
            n = await stack.enter_async_context(notebook(kernel))
            said = await n.run(code)
            return n, time.monotonic() - began, said
        made = await asyncio.gather(*(one() for _ in range(number)))
        await asyncio.sleep(1)
        return [{"seconds": took, "said": said, "warm": n.is_warm} | memory(n.pid) for n, took, said in made]
import contextlib
main(program)
"""

IMPORT = "import torch, transformers; transformers.AutoModelForCausalLM; print(torch.ones(2).sum().item())"

LOAD = f"""
import torch, time
from transformers import AutoModelForCausalLM, AutoTokenizer
began = time.monotonic()
tokenizer = AutoTokenizer.from_pretrained("{MODEL}")
model = AutoModelForCausalLM.from_pretrained("{MODEL}", OPTIONS)
took = time.monotonic() - began
with torch.no_grad():
    model(**tokenizer("one two three", return_tensors="pt"))
print(model.dtype, round(took, 2))
"""


def measure(machine: Machine, kernel: str, number: int, code: str, user: str = "lab-a", **env: str) -> Any:
    out = machine.run("python", "-c", PROGRAM, kernel, str(number), code, user=user, env=env)
    return json.loads(out.splitlines()[-1])


def main() -> None:
    hub = Path(os.environ.get("HF_HUB_CACHE", Path.home() / ".cache/huggingface/hub"))
    machine = Machine(hub)
    figures: dict[str, Any] = {}
    try:
        Daemon(machine)
        for kernel in ("ustod-ready", "python3"):
            figures[kernel] = {
                "one": [measure(machine, kernel, 1, IMPORT)[0] for _ in range(3)],
                "five": measure(machine, kernel, 5, IMPORT),
            }
        for name, options in (("default", ""), ("bfloat16", "dtype=torch.bfloat16")):
            code = LOAD.replace("OPTIONS", options)
            where = {"HF_HUB_CACHE": str(hub), "HF_HUB_OFFLINE": "1"}
            figures[f"weights, {name}"] = measure(machine, "ustod-ready", 2, code, **where)
        stored = "/home/float32"
        copy = f"from transformers import AutoModelForCausalLM as M, AutoTokenizer as T; M.from_pretrained('{MODEL}', "
        copy += (
            f"dtype='float32').save_pretrained('{stored}'); T.from_pretrained('{MODEL}').save_pretrained('{stored}')"
        )
        machine.run("python", "-c", copy, env=where)
        machine.run("chmod", "-R", "a+rX", stored)
        code = LOAD.replace(MODEL, stored).replace("OPTIONS", "")
        figures["weights, stored as float32"] = measure(machine, "ustod-ready", 2, code, **where)
        figures["weights, cold"] = measure(machine, "python3", 2, LOAD.replace("OPTIONS", ""), **where)
    finally:
        machine.close()
    for name, value in figures.items():
        rows = value if isinstance(value, list) else [row for rows in value.values() for row in rows]
        for row in rows:
            print(name, {key: round(said, 2) if isinstance(said, float) else said for key, said in row.items()})
    for kernel in ("ustod-ready", "python3"):
        print(kernel, "median seconds", round(statistics.median(row["seconds"] for row in figures[kernel]["one"]), 2))


if __name__ == "__main__":
    main()
