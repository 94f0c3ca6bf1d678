"""Layers of a network and their cut into stages: Megatron's layouts, costs by layer, graph.txt."""
