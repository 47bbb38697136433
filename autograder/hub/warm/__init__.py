"""Kernels and students' servers, forked under each one's account from processes that have imported what they need.

Two such processes run, one for the kernel "Ustod (torch ready)", which any student's JupyterLab may ask for one, and
one for those JupyterLabs, which only the hub may ask.

    JupyterLab of lab-s2301 ── provisioner ──┐ an order: environment, folder, connection file
                                             ▼
    root: daemon (stack imported, one thread) ── fork ──▶ child: becomes lab-s2301, and only then reads the order

The daemon never reads what a client says: a line to it has an owner, whom Linux names, and that is all it knows.
Nothing of a person is ever in its memory, which the processes of all others are copies of.

What all of them do share is where libraries lie in memory, and Python's seed for hashes of texts: an attacker who
already has a hole in another's process need not guess addresses. They share no process, no open file, no key and no
right.
"""
