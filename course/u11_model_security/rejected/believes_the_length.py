# Takes the slice that the first eight bytes promise, without comparing it with the cap.
# fails: a_length_that_cannot_be_true_is_refused
# %% exercise="header.read"
def read_header(data, cap=100_000_000):
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 + length:
        raise ValueError("length")
    text = data[8 : 8 + length].decode("utf-8")

    def once(pairs):
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("twice")
        return dict(pairs)

    if text[:1] != "{":
        raise ValueError("no object")
    return json.loads(text, object_pairs_hook=once)
