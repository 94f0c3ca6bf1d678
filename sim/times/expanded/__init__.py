"""Programs that engines run in place of others: the same times from rules engines do not know.

An engine knows streams of rows that take seconds, messages on links, and rows that wait for others
(`sync`) and for an exchange.  Pairs, posted receives, sends that wait, tied stages and exchanges
beside computing are told to it by a program with more rows and edges; what it finds is folded back
to the rows of the program that was asked about.  So every engine knows them, and no other code.
"""
