"""The kernel "Ustod (torch ready)": forked from one process that all on a server share, under each one's own account.

    JupyterLab of lab-s2301 ── provisioner ──┐ an order: environment, folder, connection file
                                             ▼
    root: daemon (stack imported, one thread) ── fork ──▶ child: becomes lab-s2301, and only then reads the order

The daemon never reads what a client says: a line to it has an owner, whom Linux names, and that is all it knows.
Nothing of a person is ever in its memory, which the kernels of all others are copies of.

What all kernels do share is where libraries lie in memory, and Python's seed for hashes of texts: an attacker who
already has a hole in another's process need not guess addresses. They share no process, no open file, no key and no
right.
"""
