# Believes that JSON has no key twice, because a dictionary has none.
# fails: a_key_that_stands_twice_is_refused
# %% exercise="header.read"
def read_header(data, cap=100_000_000):
    length = int.from_bytes(data[:8], "little")
    if length > cap or 8 + length > len(data):
        raise ValueError("length")
    text = data[8 : 8 + length].decode("utf-8")
    if text[:1] != "{":
        raise ValueError("no object")
    return json.loads(text)
