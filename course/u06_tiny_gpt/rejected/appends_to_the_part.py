# Goes on writing behind what a power cut has left.
# fails: an_old_part_does_no_harm
# %% exercise="checkpoint.write"
def write_safely(path: Path, data: bytes) -> None:
    """Make `data` the content of the file `path`, such that a power cut leaves the old content or the new one.

    The second file is called as the first, with ".part" behind the name. Afterwards only `path` is there.
    """
    part = path.with_name(path.name + ".part")
    with open(part, "ab") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
