"""HIPS autograd's own tests on portagrad.compat.autograd."""
