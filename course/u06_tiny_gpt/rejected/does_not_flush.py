# Calls fsync while Python still holds the data.
# fails: the_data_is_on_the_disk_before_the_name
# %% exercise="checkpoint.write"
def write_safely(path: Path, data: bytes) -> None:
    """Make `data` the content of the file `path`, such that a power cut leaves the old content or the new one.

    The second file is called as the first, with ".part" behind the name. Afterwards only `path` is there.
    """
    part = path.with_name(path.name + ".part")
    with open(part, "wb") as file:
        file.write(data)
        os.fsync(file.fileno())
    os.replace(part, path)
