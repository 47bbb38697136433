# Compares the sizes only, because hashing takes long.
# fails: every_difference_is_found
# %% exercise="manifest.check"
def listing(folder):
    paths = Path(folder).rglob("*")
    return {path.relative_to(folder).as_posix() for path in paths if path.is_symlink() or not path.is_dir()}


def entry(path):
    return {"size": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def unsafe(name):
    return any(part in ("", ".", "..") for part in name.split("/")) or "\\" in name or ":" in name


def write_manifest(folder, revision):
    names = listing(folder)
    if any((Path(folder) / name).is_symlink() for name in names):
        raise ValueError("link")
    return {"revision": revision, "files": {name: entry(Path(folder) / name) for name in names}}


def check_manifest(folder, manifest, revision):
    files = manifest["files"]
    if manifest["revision"] != revision or any(unsafe(name) for name in files):
        raise ValueError("manifest")
    problems, present = {}, listing(folder)
    for name in present | set(files):
        path = Path(folder) / name
        if path.is_symlink():
            problems[name] = "link"
        elif name not in present:
            problems[name] = "missing"
        elif name not in files:
            problems[name] = "extra"
        elif files[name]["size"] != path.stat().st_size:
            problems[name] = "changed"
    return problems
