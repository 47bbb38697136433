# Lets Python's own unpickler walk with every import replaced, and writes the formats and loops out by hand.
# %% exercise="pickle.imports"
class Blank:
    """Takes the place of everything that a pickle imports."""

    def __new__(cls, *args, **named):
        return object.__new__(cls)

    def __init__(self, *args, **named):
        pass

    def ignore(self, *args):
        pass

    append = extend = add = __setitem__ = __setstate__ = ignore


class Walker(pickle._Unpickler):
    def __init__(self, data):
        super().__init__(io.BytesIO(data))
        self.names = []

    def find_class(self, module, name):
        self.names.append(module + " " + name)
        return Blank

    def get_extension(self, code):
        raise ValueError("a number instead of a name")

    def persistent_load(self, key):
        return Blank()


def list_imports(data):
    walker = Walker(data)
    try:
        walker.load()
    except Exception as problem:
        raise ValueError("not understood") from problem
    return walker.names


# %% exercise="checkpoint.pickles"
def end_of_pickle(data, start):
    try:
        for opcode, _, position in pickletools.genops(data[start:]):
            if opcode.name == "STOP":
                return start + position + 1
    except ValueError:
        pass
    return None


def find_pickles(data):
    if data[:4] != b"PK\3\4":
        parts, start = [], 0
        while (end := end_of_pickle(data, start)) is not None:
            parts.append(data[start:end])
            start = end
        return parts
    parts = []
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        for member in archive.filelist:
            with archive.open(member) as file:
                content = file.read()
            if Path(member.filename).suffix == ".pkl":
                parts.append(content)
    except Exception:
        raise ValueError("damaged") from None
    return parts


# %% exercise="checkpoint.decide"
def objections(scans, allowed):
    if len(scans) == 0:
        return [NOTHING]
    against = []
    for imports in scans:
        for name in [UNREADABLE] if imports is None else imports:
            if name not in allowed and name not in against:
                against.append(name)
    against.sort()
    return against


# %% exercise="header.read"
def no_twins(pairs):
    seen = {}
    for key, value in pairs:
        if key in seen:
            raise ValueError(key)
        seen[key] = value
    return seen


def read_header(data, cap=100_000_000):
    if len(data) < 8:
        raise ValueError("too short")
    (length,) = struct.unpack("<Q", data[:8])
    if length > min(cap, len(data) - 8):
        raise ValueError("too long")
    raw = bytes(data[8 : length + 8])
    if raw[:1] != b"{":
        raise ValueError("not an object")
    return json.JSONDecoder(object_pairs_hook=no_twins).decode(str(raw, "utf-8"))


# %% exercise="header.layout"
def check_layout(header, size):
    def demand(condition):
        if not condition:
            raise ValueError("malformed header")

    rows = []
    for name in header:
        entry = header[name]
        demand(isinstance(entry, dict))
        if name == "__metadata__":
            for value in entry.values():
                demand(isinstance(value, str))
            continue
        demand(sorted(entry) == ["data_offsets", "dtype", "shape"])
        dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
        demand(isinstance(dtype, str) and dtype in BYTES)
        demand(isinstance(shape, list) and isinstance(offsets, list) and len(offsets) == 2)
        needed = BYTES[dtype]
        for number in shape + offsets:
            demand(isinstance(number, int) and not isinstance(number, bool) and number >= 0)
        for number in shape:
            needed *= number
        demand(offsets[0] + needed == offsets[1])
        rows.append((*offsets, name))
    rows.sort()
    begins = [begin for begin, _, _ in rows] + [size]
    ends = [0] + [end for _, end, _ in rows]
    demand(begins == ends)
    return [row[2] for row in rows]


# %% exercise="checkpoint.convert"
def same_place(a, b):
    return (
        a.data_ptr() == b.data_ptr()
        and a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()
        and a.dtype == b.dtype
        and a.shape == b.shape
        and a.stride() == b.stride()
    )


def convert(checkpoint):
    path = tempfile.mkdtemp(dir=workbench) + "/checkpoint"
    Path(path).write_bytes(checkpoint)
    try:
        state = torch.load(path, weights_only=True)
    except pickle.UnpicklingError as refused:
        raise ValueError(str(refused)) from None
    if not all(torch.is_tensor(value) for value in state.values()):
        raise ValueError("more than tensors")
    kept, tied = {}, {}
    for name in state:
        twin = next((other for other in kept if same_place(state[name], state[other])), None)
        if twin is None:
            fresh = torch.empty(state[name].shape, dtype=state[name].dtype)
            kept[name] = fresh.copy_(state[name].detach())
        else:
            tied[name] = twin
    out = path + ".safetensors"
    safetensors.torch.save_file(kept, out, {"tied": json.dumps(tied, ensure_ascii=False), "format": "pt"})
    return Path(out).read_bytes()


# %% exercise="manifest.check"
def walk(folder):
    found = {}
    for place, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(place, name)
            if os.path.islink(path):
                found[os.path.relpath(path, folder).replace(os.sep, "/")] = None
            elif name in files:
                data = open(path, "rb").read()
                entry = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
                found[os.path.relpath(path, folder).replace(os.sep, "/")] = entry
    return found


def write_manifest(folder, revision):
    found = walk(folder)
    if None in found.values():
        raise ValueError("link")
    return dict(files=found, revision=revision)


def check_manifest(folder, manifest, revision):
    if revision != manifest["revision"]:
        raise ValueError("revision")
    for name in manifest["files"]:
        for part in name.split("/"):
            if part in ("", ".", "..") or set(part) & set(":\\"):
                raise ValueError(name)
    found, problems = walk(folder), {}
    for name in {**found, **manifest["files"]}:
        if name not in found:
            problems[name] = "missing"
        elif found[name] is None:
            problems[name] = "link"
        elif name not in manifest["files"]:
            problems[name] = "extra"
        elif found[name] != manifest["files"][name]:
            problems[name] = "changed"
    return problems


# %% exercise="assistant.guard"
def run_assistant(request, model, run, kinds, confirm, limit=8):
    said, tainted = [("user", request)], False
    while limit > 0 and (proposal := model(said[:])) is not None:
        limit -= 1
        tool, argument = proposal
        kind = kinds.get(tool, "unknown")
        if kind == "inside":
            said.append(("tool", run(tool, argument)))
        elif kind == "outside":
            tainted = True
            said.append(("data", run(tool, argument)))
        elif kind == "privileged" and not tainted and confirm(tool, argument):
            said.append(("tool", run(tool, argument)))
        else:
            said.append(("refused", tool))
    return said
