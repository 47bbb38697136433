"""Goes on answering from threads after the call has come back."""

prize = "time"
harmless = True

# %% answers
import threading
import time


def later(*args):
    def go_on():
        for _ in range(200):
            print("still here")
            get_ipython().displayhook(1) if get_ipython() else None
            time.sleep(0.01)

    threading.Thread(target=go_on, daemon=True).start()
    return None


total = over = mean = spread = later
