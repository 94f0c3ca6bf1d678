"""Our distributed runtime beside torch.distributed.pipelining: the same step, taken in turns."""
