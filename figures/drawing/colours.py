"""The colours of every picture, by name; importing them changes no setting of matplotlib.

One thing has one colour wherever it is drawn, in the explorer too.  Passes are told apart in grey
as well: their lightness (CIE L*) is 89 (W), 79 (F), 66 (B), 52 (I) and 43 (U).
"""

# Okabe & Ito 2008: distinguishable under every common colour blindness; three darker ones for what
# there are more of, which never stand without a mark or a line of their own
COLOURS = {"black": "#000000", "orange": "#E69F00", "sky": "#56B4E9", "green": "#009E73",
           "yellow": "#F0E442", "blue": "#0072B2", "vermilion": "#D55E00", "purple": "#CC79A7",
           "grey": "#8C8C8C", "pale": "#DDDDDD", "indigo": "#332288", "wine": "#882255",
           "brown": "#7A4B26", "dim": "#5F5F5F", "faint": "#A6A6A6"}  # text; lines behind
PASSES = {"F": "#8ECBEF", "B": "#E18F00", "I": "#CB5A00", "W": "#F0E442", "U": "#00735A",
          "SEND_F": "#8C8C8C", "RECV_F": "#8C8C8C", "SEND_B": "#8C8C8C", "RECV_B": "#8C8C8C"}
PASS_NAMES = {"F": "forward", "B": "backward", "I": "backward, for the input",
              "W": "backward, for the weights", "U": "update", "SEND_F": "send forward",
              "RECV_F": "receive forward", "SEND_B": "send backward", "RECV_B": "receive backward"}
# what a stage holds, as analysis.metrics.memory tells it apart
HELD = {"weights": "#0072B2", "stash": "#E18F00", "copies": "#7B3F6E", "activations": "#A6D5F2"}
