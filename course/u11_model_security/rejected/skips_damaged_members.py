# Leaves out the members that cannot be read.
# fails: a_damaged_archive_is_refused
# %% exercise="checkpoint.pickles"
def find_pickles(data):
    pickles = []
    if data.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for member in archive.infolist():
                    if member.filename.endswith(".pkl"):
                        try:
                            pickles.append(archive.read(member))
                        except Exception:
                            continue
        except zipfile.BadZipFile as problem:
            raise ValueError("the archive cannot be read") from problem
        return pickles
    stream = io.BytesIO(data)
    while True:
        start = stream.tell()
        try:
            list(pickletools.genops(stream))
        except ValueError:
            return pickles
        pickles.append(data[start : stream.tell()])
