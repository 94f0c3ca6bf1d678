"""The simulator a second time, from its definitions: nothing here imports the product.

A `Case` holds an experiment by the configuration's bare keys.  From it follow, each in its own
file: the order of every device (`orders`; `greedy` where it comes about, `shuffled` where it is
anybody's), the versions read (`versions`), when everything runs (`times`), what every stage holds
(`memory`), and what is learnt (`learning`, of `learner`s on `problems` by `rules`, and of several
`workers`).  Passes are plain tuples, times whole ticks, weights float64 arrays.  `draw` makes
random experiments.

Source: the definitions in sim/REFERENCE.md, and those of the configuration in sim/README.md.
"""
