# Tests for integers with isinstance, which also accepts true and false.
# fails: malformed_entries_are_refused
# %% exercise="header.layout"
def check_layout(header, size):
    def are_counts(values):
        return isinstance(values, list) and all(isinstance(value, int) and value >= 0 for value in values)

    metadata = header.get("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("metadata")
    spans = []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise ValueError(name)
        if entry["dtype"] not in list(BYTES):
            raise ValueError(name)
        if not are_counts(entry["shape"]) or not are_counts(entry["data_offsets"]) or len(entry["data_offsets"]) != 2:
            raise ValueError(name)
        begin, end = entry["data_offsets"]
        if end - begin != math.prod(entry["shape"]) * BYTES[entry["dtype"]]:
            raise ValueError(name)
        spans.append((begin, end, name))
    covered = 0
    for begin, end, name in sorted(spans):
        if begin != covered:
            raise ValueError(name)
        covered = end
    if covered != size:
        raise ValueError("end")
    return [name for _, _, name in sorted(spans)]
