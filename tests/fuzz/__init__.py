"""Every door under damaged input: each ends well, says a mistake in lines, and leaves nothing.

`cases` makes inputs by kind and number, the same ones every time; `worker` puts them to the doors
in a process of bounded memory, and `judge` says what is wrong with how one ended.
`python -m tests.fuzz` tries as many as asked for; `python -m tests.fuzz KIND NUMBER` one again.
"""
