"""How far predicted runs are from measured ones."""
