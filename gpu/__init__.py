"""The torch backend: the same programs on real stages.  Not built yet."""
