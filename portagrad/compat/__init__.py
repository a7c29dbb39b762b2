"""Other libraries' interfaces over portagrad's engine, for programs written against them."""
