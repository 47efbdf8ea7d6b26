"""Operations whose gradients are written out by hand, because they were measured."""
