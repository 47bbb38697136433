# Forbids what is known to be dangerous and admits the rest.
# fails: only_the_exact_names_are_allowed
# %% exercise="checkpoint.decide"
DANGEROUS = {
    "os",
    "posix",
    "nt",
    "subprocess",
    "sys",
    "builtins",
    "__builtin__",
    "runpy",
    "shutil",
    "socket",
    "torch.hub",
}


def objections(scans, allowed):
    if not scans:
        return [NOTHING]
    found = {UNREADABLE} if None in scans else set()
    found |= {name for imports in scans for name in imports or () if name.split()[0] in DANGEROUS}
    return sorted(found)
