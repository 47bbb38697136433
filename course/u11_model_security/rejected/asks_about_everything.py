# Asks the user about every call, until nobody reads the question.
# fails: a_privileged_call_needs_the_users_yes
# %% exercise="assistant.guard"
def run_assistant(request, model, run, kinds, confirm, limit=8):
    transcript, tainted = [("user", request)], False
    for _ in range(limit):
        proposal = model(list(transcript))
        if proposal is None:
            break
        tool, argument = proposal
        kind = kinds.get(tool)
        agreed = kind in ("inside", "outside", "privileged") and not tainted and confirm(tool, argument)
        if kind == "inside":
            transcript.append(("tool", run(tool, argument)))
        elif kind == "outside":
            transcript.append(("data", run(tool, argument)))
            tainted = True
        elif kind == "privileged" and agreed:
            transcript.append(("tool", run(tool, argument)))
        else:
            transcript.append(("refused", tool))
    return transcript
