"""Tensor parallelism: what a stage costs whose layers several devices share.

The matrices of a layer are split in pairs, the first by columns and the second by rows, so that
each device works on its part of both and only the result has to be added up: one all-reduce of a
pair forward and one backward.  What it costs is reckoned by α and β: each message round the ring of
devices takes its latency α and its bytes over the bandwidth β.

Source: Shoeybi et al. 2019 (Megatron-LM); Korthikanti et al. 2022, sequence parallelism and how
activations split [recalled].
"""
