"""Reads the environment that the C library keeps, whatever Python says of it."""

prize = "environment"
harmless = True

# %% last
import ctypes

place = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
number = 0
while place[number]:
    print(place[number])
    number += 1
