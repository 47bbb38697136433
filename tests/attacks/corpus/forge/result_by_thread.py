"""Sends a result for whatever cell is being executed, again and again, from a thread."""

prize = "points"
harmless = True

# %% first
import threading
import time

parents = []


def send():
    content = {"data": {"text/plain": "1"}, "metadata": {}, "execution_count": 1}
    for _ in range(3000):
        if parents:
            kernel.session.send(kernel.iopub_socket, "execute_result", content, parent=parents[-1])
        time.sleep(0.01)


kernel = get_ipython().kernel
get_ipython().events.register("pre_run_cell", lambda info: parents.append(kernel.get_parent()))
threading.Thread(target=send, daemon=True).start()

# %% answers
import time


def fail_later(*args):
    time.sleep(0.2)
    raise ValueError("too late")


total = over = mean = spread = fail_later
