# Gives the model a document as if the user had said it.
# fails: the_transcript_keeps_apart_who_said_what
# %% exercise="assistant.guard"
def run_assistant(request, model, run, kinds, confirm, limit=8):
    transcript, tainted = [("user", request)], False
    for _ in range(limit):
        proposal = model(list(transcript))
        if proposal is None:
            break
        tool, argument = proposal
        kind = kinds.get(tool)
        if kind == "inside":
            transcript.append(("tool", run(tool, argument)))
        elif kind == "outside":
            transcript.append(("user", run(tool, argument)))
            tainted = True
        elif kind == "privileged" and not tainted and confirm(tool, argument):
            transcript.append(("tool", run(tool, argument)))
        else:
            transcript.append(("refused", tool))
    return transcript
