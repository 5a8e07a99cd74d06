"""Tensors on their way to the host."""

import torch

from cooptrack_ros.tracking.fixed_shape.transfer import pack, unpack


def test_tensors_of_all_kinds_come_out_of_one_row_of_words_as_they_went_in():
    tensors = [torch.tensor([True, False, True]), torch.tensor([2 ** 40 + 1, -1]), torch.rand(3, 4).T,
               torch.tensor([torch.nan, -0.0]), torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64),
               torch.tensor([7])]
    words = pack(tensors)
    assert words.dtype == torch.int32 and words.shape == (3 + 4 + 12 + 2 + 0 + 0 + 2,)
    for result, tensor in zip(unpack(words, tensors), tensors, strict=True):
        assert result.dtype == tensor.dtype
        torch.testing.assert_close(result, tensor, rtol=0, atol=0, equal_nan=True)
