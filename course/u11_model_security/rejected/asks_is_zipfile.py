# Asks the library whether the file is a zip archive, which looks at its end.
# fails: the_first_bytes_decide
# %% exercise="checkpoint.pickles"
def find_pickles(data):
    if data[:4] == b"PK\x03\x04" or zipfile.is_zipfile(io.BytesIO(data)):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                return [archive.read(member) for member in archive.infolist() if member.filename.endswith(".pkl")]
        except Exception as problem:
            raise ValueError("the archive cannot be read") from problem
    stream, pickles = io.BytesIO(data), []
    while True:
        start = stream.tell()
        try:
            list(pickletools.genops(stream))
        except ValueError:
            return pickles
        pickles.append(data[start : stream.tell()])
