# Small tables, generators and comprehensions instead of branches; the scanner keeps one stack for each mark.
# %% exercise="pickle.imports"
def list_imports(data):
    frames, memo, names = [[]], {}, []

    def put(number):
        memo[number] = frames[-1][-1]

    try:
        for opcode, argument, _ in pickletools.genops(data):
            kind, top = opcode.name, frames[-1]
            if kind == "MARK":
                frames.append([])
            elif kind in (
                "POP_MARK",
                "TUPLE",
                "LIST",
                "DICT",
                "FROZENSET",
                "APPENDS",
                "SETITEMS",
                "ADDITEMS",
                "INST",
                "OBJ",
            ):
                frames.pop()
                top = frames[-1]
                if kind in ("APPENDS", "SETITEMS", "ADDITEMS"):
                    top[-1] = object()
                elif kind != "POP_MARK":
                    top.append(object())
                if kind == "INST":
                    names.append(argument)
            elif kind == "POP" and not top:
                frames.pop()
                frames[-1]
            elif kind in ("PUT", "BINPUT", "LONG_BINPUT"):
                put(argument)
            elif kind == "MEMOIZE":
                put(len(memo))
            elif kind in ("GET", "BINGET", "LONG_BINGET"):
                top.append(memo[argument])
            elif kind == "DUP":
                top.append(top[-1])
            elif kind.startswith("EXT"):
                raise ValueError(kind)
            elif kind == "STACK_GLOBAL":
                name, module = top.pop(), top.pop()
                if type(name) is not str or type(module) is not str:
                    raise ValueError("operands")
                names.append(module + " " + name)
                top.append(object())
            else:
                for _ in opcode.stack_before:
                    top.pop()
                is_text = isinstance(argument, str) and kind not in ("GLOBAL", "PERSID")
                top.extend(argument if is_text else object() for _ in opcode.stack_after)
                if kind == "GLOBAL":
                    names.append(argument)
    except (LookupError, ValueError) as problem:
        raise ValueError(str(problem)) from None
    return names


# %% exercise="checkpoint.pickles"
def one_after_the_other(stream):
    while True:
        start = stream.tell()
        try:
            for _ in pickletools.genops(stream):
                pass
        except ValueError:
            return
        yield stream.getvalue()[start : stream.tell()]


def find_pickles(data):
    stream = io.BytesIO(data)
    if stream.read(4) != b"PK\x03\x04":
        stream.seek(0)
        return list(one_after_the_other(stream))
    try:
        archive = zipfile.ZipFile(stream)
        if archive.testzip() is not None:
            raise ValueError("damaged member")
        return [archive.read(m) for m in archive.infolist() if m.filename[-4:] == ".pkl"]
    except Exception as problem:
        raise ValueError("the archive is damaged") from problem


# %% exercise="checkpoint.decide"
def objections(scans, allowed):
    names = {name for imports in scans for name in ([UNREADABLE] if imports is None else imports)}
    return sorted(names.difference(allowed)) if scans else [NOTHING]


# %% exercise="header.layout"
def check_layout(header, size):
    header = dict(header)
    notes = header.pop("__metadata__", {})
    right = isinstance(notes, dict) and all(type(note) is str for note in notes.values())
    next_byte, order = 0, []
    right = right and all(type(e) is dict and {*e} == {"dtype", "shape", "data_offsets"} for e in header.values())
    if right:
        for e in header.values():
            counts = (e["shape"], e["data_offsets"])
            right &= type(e["dtype"]) is str and e["dtype"] in BYTES and all(type(c) is list for c in counts)
            right = right and len(e["data_offsets"]) == 2
            right = right and all(type(n) is int and n > -1 for c in counts for n in c)
    if not right:
        raise ValueError("an entry is malformed")
    for name in sorted(header, key=lambda name: (header[name]["data_offsets"], name)):
        begin, end = header[name]["data_offsets"]
        if begin != next_byte or end != begin + BYTES[header[name]["dtype"]] * math.prod(header[name]["shape"]):
            raise ValueError(name)
        next_byte = end
        order.append(name)
    if next_byte != size:
        raise ValueError("the end")
    return order


# %% exercise="assistant.guard"
def run_assistant(request, model, run, kinds, confirm, limit=8):
    def step(transcript, turns):
        proposal = model(transcript[:]) if turns else None
        if proposal is None:
            return transcript
        tool, argument = proposal
        clean = "data" not in [role for role, _ in transcript]
        permitted = {
            "inside": lambda: True,
            "outside": lambda: True,
            "privileged": lambda: clean and confirm(tool, argument),
        }.get(kinds.get(tool), lambda: False)
        if not permitted():
            return step([*transcript, ("refused", tool)], turns - 1)
        role = "data" if kinds[tool] == "outside" else "tool"
        return step([*transcript, (role, run(tool, argument))], turns - 1)

    return step([("user", request)], limit)
