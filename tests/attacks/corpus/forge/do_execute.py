"""Replaces the kernel's `do_execute` by one that reports success without executing anything."""

prize = "points"
harmless = True


# %% first
async def say_ok(code, silent, *args, **kwargs):
    return {"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {}}


get_ipython().kernel.do_execute = say_ok
