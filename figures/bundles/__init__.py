"""Folders of pictures with their rows, for studies that give several."""
