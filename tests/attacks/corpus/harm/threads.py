"""Starts threads until there are no more; ends by itself at 2,000."""

prize = "host"
harmless = False

# %% last
import threading
import time

for _ in range(2000):
    threading.Thread(target=time.sleep, args=(40,), daemon=True).start()
