"""Prints and raises texts that would move a terminal's cursor, end a page's markup, or claim to be a result."""

prize = "time"
harmless = True


# %% answers
def answer(*args):
    print("\x1b[2J\x1b]0;title\x07</script><script>alert(1)</script>\0\r\b")
    raise ValueError("</pre>\x1b[31m12\n\nOut[1]: 12")


total = over = mean = spread = answer
