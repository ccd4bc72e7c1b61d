-- Ranges are fewer than single addresses, and of few lengths: what is above an address is looked for at those alone.
CREATE INDEX wish_range ON wish (bits) WHERE bits < 8 * (length(first) - 1);
