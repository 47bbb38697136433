# Leaves the first character to the JSON parser, which permits blanks and lists.
# fails: anything_but_a_json_object_is_refused
# %% exercise="header.read"
def read_header(data, cap=100_000_000):
    length = int.from_bytes(data[:8], "little")
    if length > cap or len(data) < 8 + length:
        raise ValueError("length")

    def once(pairs):
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("twice")
        return dict(pairs)

    return json.loads(data[8 : 8 + length].decode("utf-8"), object_pairs_hook=once)
