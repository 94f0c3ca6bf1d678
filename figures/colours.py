"""The colours of every picture, by name; importing them changes no setting of matplotlib."""

# Okabe & Ito 2008: distinguishable under every common colour blindness
COLOURS = {"black": "#000000", "orange": "#E69F00", "sky": "#56B4E9", "green": "#009E73",
           "yellow": "#F0E442", "blue": "#0072B2", "vermilion": "#D55E00", "purple": "#CC79A7",
           "grey": "#8C8C8C", "pale": "#DDDDDD"}
