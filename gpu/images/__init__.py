"""Images to learn from: made from a seed, CIFAR-10, or a folder of them."""
